//! The bucket beside the local folder: an S3-compatible store of sealed blobs.
//!
//! An object is the very file the local folder held, so the bucket sees what is sealed and nothing else.
//! Its name is `<prefix>/<tenant>/<two letters>/<blob>`. Nothing on the path of a call comes here.

mod fault;

pub use fault::BucketError;

use crate::{Error, Result};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    Certificate, ClientOptions, GetOptions, GetRange, ObjectStore as _, ObjectStoreExt as _, RetryConfig,
};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use strowger_host::config::Storage;
use strowger_model::TenantId;
use time::OffsetDateTime;

/// How long the bucket has to take a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long it may say nothing while it answers.
const SILENCE: Duration = Duration::from_secs(30);
/// How long one object may take: an archive's uplink may be slow.
const TRANSFER: Duration = Duration::from_secs(15 * 60);
/// How long a request is tried again within itself; longer outages are the queue's affair.
const PATIENCE: Duration = Duration::from_secs(3);

/// A bucket. Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    objects: Arc<AmazonS3>,
    prefix: String,
    place: String,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Bucket")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// Part of an object, and how large the whole is.
pub(crate) struct Part {
    pub(crate) bytes: Vec<u8>,
    pub(crate) whole: u64,
}

/// An object in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    /// The blob it is called for.
    pub(crate) blob: String,
    pub(crate) written_at: OffsetDateTime,
}

impl Bucket {
    /// Prepares requests to a bucket; none is made.
    ///
    /// # Errors
    /// The address or the authority's file cannot be used.
    pub fn open(storage: &Storage) -> Result<Self> {
        let mut options = ClientOptions::new()
            .with_connect_timeout(CONNECT)
            .with_read_timeout(SILENCE)
            .with_timeout(TRANSFER);
        if let Some(file) = &storage.ca_file {
            let pem = std::fs::read(file).map_err(Error::file("read", file))?;
            for authority in Certificate::from_pem_bundle(&pem).map_err(fault("use the authority's file of"))? {
                options = options.with_root_certificate(authority);
            }
        }
        let is_clear = |endpoint: &String| endpoint.starts_with("http://");
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&storage.bucket)
            .with_region(&storage.region)
            .with_access_key_id(&storage.access_key)
            .with_secret_access_key(&storage.secret_key)
            .with_virtual_hosted_style_request(!storage.path_style)
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig {
                max_retries: 2,
                retry_timeout: PATIENCE,
                ..RetryConfig::default()
            })
            .with_client_options(options.with_allow_http(storage.endpoint.as_ref().is_some_and(is_clear)));
        if let Some(endpoint) = &storage.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let host = storage
            .endpoint
            .clone()
            .unwrap_or_else(|| format!("S3 in {}", storage.region));
        Ok(Self {
            objects: Arc::new(builder.build().map_err(fault("prepare"))?),
            prefix: storage.prefix.clone(),
            place: format!("{} at {host}", storage.bucket),
        })
    }

    /// The bucket and its host, for people.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Writes an object and reads it back; what comes back must be what was sent.
    pub(crate) async fn put(&self, tenant: TenantId, blob: &str, sealed: Vec<u8>) -> Result<()> {
        let name = self.name(tenant, blob);
        let sealed = Bytes::from(sealed);
        self.objects
            .put(&name, sealed.clone().into())
            .await
            .map_err(fault("write to"))?;
        let back = self.objects.get(&name).await.map_err(fault("read back from"))?;
        let back = back.bytes().await.map_err(fault("read back from"))?;
        if digest(&back) == digest(&sealed) {
            Ok(())
        } else {
            Err(Error::Altered { blob: blob.to_owned() })
        }
    }

    /// Bytes of an object.
    pub(crate) async fn part(&self, tenant: TenantId, blob: &str, range: Range<u64>) -> Result<Part> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        let got = self
            .objects
            .get_opts(&self.name(tenant, blob), options)
            .await
            .map_err(fault("read from"))?;
        let whole = got.meta.size;
        let bytes = got.bytes().await.map_err(fault("read from"))?;
        Ok(Part {
            bytes: bytes.into(),
            whole,
        })
    }

    /// Removes an object. One that is gone is no fault.
    pub(crate) async fn remove(&self, tenant: TenantId, blob: &str) -> Result<()> {
        match self.objects.delete(&self.name(tenant, blob)).await {
            Ok(()) => Ok(()),
            Err(problem) => match fault("remove from")(problem) {
                gone if gone.is_no_object() => Ok(()),
                problem => Err(problem),
            },
        }
    }

    /// A tenant's objects.
    pub(crate) async fn list(&self, tenant: TenantId) -> Result<Vec<Object>> {
        let folder = self.folder(tenant);
        let all: Vec<_> = self
            .objects
            .list(Some(&folder))
            .try_collect()
            .await
            .map_err(fault("list"))?;
        let object = |meta: object_store::ObjectMeta| {
            Some(Object {
                blob: meta.location.filename()?.to_owned(),
                written_at: OffsetDateTime::from_unix_timestamp(meta.last_modified.timestamp()).ok()?,
            })
        };
        Ok(all.into_iter().filter_map(object).collect())
    }

    fn folder(&self, tenant: TenantId) -> Path {
        Path::from(format!("{}/{tenant}", self.prefix))
    }

    fn name(&self, tenant: TenantId, blob: &str) -> Path {
        let letters = blob.get(34..36).unwrap_or("00");
        Path::from(format!("{}/{tenant}/{letters}/{blob}", self.prefix))
    }
}

fn digest(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes)
        .as_ref()
        .to_vec()
}

fn fault(doing: &'static str) -> impl Fn(object_store::Error) -> Error {
    move |source| Error::Bucket {
        doing,
        source: source.into(),
    }
}
