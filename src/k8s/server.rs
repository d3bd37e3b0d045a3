//! What the API server tells besides objects.

use http::{Request, header::DATE};
use kube::{Client, client::Body};

use super::{Doing as _, Error};

/// The time at which the server answered, as the header of an answer has it; none when it doesn't say.
///
/// # Errors
/// When it can't be asked.
pub async fn server_time(client: &Client) -> Result<Option<String>, Error> {
    let request = Request::get("/version").body(Body::empty()).map_err(kube::Error::HttpError);
    let answer = async { client.send(request?).await }.await.doing(|| "ask for the time")?;
    Ok(answer.headers().get(DATE).and_then(|date| date.to_str().ok()).map(str::to_owned))
}
