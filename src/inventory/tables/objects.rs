//! Stores for backups outside the cluster.

use super::{
    choices::{GcsKeyType, UriStyle},
    secret::SecretSource,
    texts::{Bucket, Endpoint, FilePath, Line},
};
use crate::inventory::table::settings;

settings! {
    /// Backups in S3, or in a store that speaks its protocol.
    S3 / RawS3 {
        /// The bucket. Without one, nothing goes to S3.
        bucket: [optional "backups don't go to S3"] Bucket, old ["backrest_aws_s3_bucket"], inert;
        /// The host that is spoken to.
        endpoint: [optional "backups don't go to S3"] Endpoint, old ["backrest_aws_s3_endpoint"], inert;
        /// The region that requests are signed for.
        region: [optional "backups don't go to S3"] Line, old ["backrest_aws_s3_region"], inert;
        /// The id of the access key.
        key: [optional "the pod's own identity"] Line, old ["backrest_aws_s3_key"], inert;
        /// The secret that belongs to it.
        secret: [optional "the pod's own identity"] SecretSource, old ["backrest_aws_s3_secret"], inert;
        /// Where the bucket stands in an address.
        uri_style: [default "\"host\""] UriStyle, old ["backrest_aws_s3_uri_style"], inert;
        /// Whether the host's certificate is verified.
        verify_tls: [default "true"] bool, old ["backrest_aws_s3_verify_tls"], inert;
        /// The authority of the host's certificate, as PEM.
        ca: [optional "the authorities of the image"] FilePath, old [], inert;
    }
}

settings! {
    /// Backups in Google Cloud Storage.
    Gcs / RawGcs {
        /// The bucket. Without one, nothing goes there.
        bucket: [optional "backups don't go there"] Bucket, old ["backrest_gcs_bucket"], inert;
        /// The host that is spoken to.
        endpoint: [optional "storage.googleapis.com"] Endpoint, old ["backrest_gcs_endpoint"], inert;
        /// The key.
        key: [optional "the pod's own identity"] SecretSource, old ["backrest_gcs_key"], inert;
        /// What kind of key it is.
        key_type: [default "\"service\""] GcsKeyType, old ["backrest_gcs_key_type"], inert;
    }
}
