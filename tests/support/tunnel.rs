//! A way to the API server that can be cut, for everything at once: also watches, and commands in pods.

use std::path::Path;

use serde_json::{Value, json};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// The way. It knows nothing of what goes through it.
pub(crate) struct Tunnel {
    open: watch::Sender<bool>,
    /// A kube config that leads here.
    pub(crate) kubeconfig: String,
}

impl Tunnel {
    /// Opens one to the API server that a kube config names.
    pub(crate) async fn open(kubeconfig: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = fs_err::read_to_string(kubeconfig).unwrap();
        let mut config: Value = serde_saphyr::from_str(&text).unwrap();
        let cluster = &mut config["clusters"][0]["cluster"];
        let address = cluster["server"].as_str().unwrap().trim_start_matches("https://").to_owned();
        cluster["tls-server-name"] = json!(address.split(':').next());
        cluster["server"] = json!(format!("https://127.0.0.1:{port}"));
        let open = watch::Sender::new(true);
        let state = open.subscribe();
        tokio::spawn(async move {
            loop {
                let Ok((mut near, _)) = listener.accept().await else { return };
                let (mut state, address) = (state.clone(), address.clone());
                tokio::spawn(async move {
                    if !*state.borrow_and_update() {
                        return;
                    }
                    let Ok(mut far) = TcpStream::connect(&address).await else { return };
                    tokio::select! {
                        // How a connection ends is its users' business.
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = state.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { open, kubeconfig: config.to_string() }
    }

    /// Cuts what goes through, and lets nothing new in.
    pub(crate) fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Lets connections through again.
    pub(crate) fn mend(&self) {
        self.open.send_replace(true);
    }
}
