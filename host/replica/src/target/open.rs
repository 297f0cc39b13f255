//! From a URL and settings to a store.

use std::{path::PathBuf, sync::Arc};

use object_store::{
    ClientConfigKey, ObjectStore,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
    local::LocalFileSystem,
    memory::InMemory,
    multipart::MultipartStore,
    path::Path,
};
use tidegate_core::TargetName;
use tokio::sync::OnceCell;
use url::Url;

use super::{Inner, Kind, Target, http::Connector};
use crate::{Error, Limits, Options, Verify, budget::Budget, crew, layout::Layout, local, retry};

/// A store with what else is known of it.
struct Opened {
    store: Arc<dyn ObjectStore>,
    multipart: Option<Arc<dyn MultipartStore>>,
    kind: Kind,
    secrets: Vec<Option<String>>,
}

pub(super) fn open(name: TargetName, url: &str, options: Options) -> Result<Target, Error> {
    let wrong = |detail: String| Error::Config { target: name.clone(), detail };
    let url = Url::parse(url).map_err(|error| wrong(format!("its URL is not valid: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("give credentials and settings as options or in the environment, not in the URL".into()));
    }
    let Options { upload_rate, download_rate, requests, .. } = options;
    let budget = Budget::new(Limits { upload_rate, download_rate, requests }, options.concurrency.get());
    let connector = Connector::new(&budget);
    let mut prefix = Path::default();
    let opened = match url.scheme() {
        "file" => directory(&url).map_err(wrong)?,
        "memory" => memory(),
        scheme => {
            let bucket = url.host_str().filter(|host| !host.is_empty());
            let bucket = bucket.ok_or_else(|| wrong(format!("give a bucket: {scheme}://bucket/prefix")))?;
            prefix = Path::from_url_path(url.path()).map_err(|error| wrong(error.to_string()))?;
            match scheme {
                "s3" => s3(bucket, &options, connector),
                "gs" => gcs(bucket, &options, connector),
                "az" => azure(bucket, &options, connector),
                _ => Err(format!("{scheme}:// is not known: use file, s3, gs, az or memory")),
            }
            .map_err(wrong)?
        }
    };
    let Opened { store, multipart, kind, secrets } = opened;
    let layout = Layout::below(&prefix);
    let permits = crew::permits(options.concurrency);
    let secrets = secrets.into_iter().flatten().filter(|secret| secret.len() >= 4).collect();
    let (shown, method) = (url.to_string(), OnceCell::new());
    let inner = Inner { name, shown, kind, store, multipart, layout, options, permits, budget, secrets, method };
    Ok(Target(Arc::new(inner)))
}

fn directory(url: &Url) -> Result<Opened, String> {
    let no = "a file URL names an absolute directory: file:///srv/checkpoints";
    let root: PathBuf = url.to_file_path().map_err(|()| no.to_owned())?;
    local::make_directories(&root).map_err(|error| format!("could not make {}: {error}", root.display()))?;
    let root = root.canonicalize().map_err(|error| format!("could not open {}: {error}", root.display()))?;
    let store = LocalFileSystem::new_with_prefix(&root).map_err(|error| error.to_string())?.with_fsync(true);
    Ok(Opened { store: Arc::new(store), multipart: None, kind: Kind::Directory(root), secrets: Vec::new() })
}

fn memory() -> Opened {
    let store = Arc::new(InMemory::new());
    Opened { multipart: Some(store.clone()), store, kind: Kind::Memory, secrets: Vec::new() }
}

fn s3(bucket: &str, options: &Options, connector: Connector) -> Result<Opened, String> {
    let key = AmazonS3ConfigKey::Client;
    let mut builder = AmazonS3Builder::from_env()
        .with_config(key(ClientConfigKey::Timeout), seconds(options))
        // The checksum below is part of what is signed; hashing every byte once more with SHA-256 proves nothing more.
        .with_unsigned_payload(true);
    for (name, value) in &options.store {
        builder = match name.as_str() {
            "path_style" => builder.with_virtual_hosted_style_request(!yes(name, value)?),
            _ => builder.with_config(name.parse().map_err(|_| unknown(name, "S3"))?, value),
        };
    }
    let set = |key: AmazonS3ConfigKey| builder.get_config_value(&key);
    let endpoint = set(AmazonS3ConfigKey::S3Endpoint).or_else(|| set(AmazonS3ConfigKey::Endpoint));
    encrypted(endpoint, set(key(ClientConfigKey::AllowHttp)))?;
    let mut secrets: Vec<_> =
        [AmazonS3ConfigKey::AccessKeyId, AmazonS3ConfigKey::SecretAccessKey, AmazonS3ConfigKey::Token].map(set).into();
    secrets.extend(options.store.get("sse_customer_key_base64").cloned().map(Some));
    let mut checksum = set(AmazonS3ConfigKey::Checksum);
    if checksum.is_none() && matches!(options.verify, Verify::Auto | Verify::Checksum) {
        builder = builder.with_checksum_algorithm(Checksum::CRC64NVME);
        checksum = Some(Checksum::CRC64NVME.to_string());
    }
    let canary = connector.canary.clone();
    let store = builder
        .with_bucket_name(bucket)
        .with_retry(retry::of_requests(options))
        .with_http_connector(connector)
        .build()
        .map_err(|error| error.to_string())?;
    let store = Arc::new(store);
    Ok(Opened { multipart: Some(store.clone()), store, kind: Kind::S3 { checksum, canary }, secrets })
}

fn gcs(bucket: &str, options: &Options, connector: Connector) -> Result<Opened, String> {
    let mut builder = GoogleCloudStorageBuilder::from_env()
        .with_config(GoogleConfigKey::Client(ClientConfigKey::Timeout), seconds(options));
    for (name, value) in &options.store {
        builder = builder.with_config(name.parse().map_err(|_| unknown(name, "GCS"))?, value);
    }
    let secrets = [GoogleConfigKey::ServiceAccountKey, GoogleConfigKey::BearerToken]
        .map(|key| builder.get_config_value(&key))
        .into();
    let builder = builder.with_bucket_name(bucket).with_retry(retry::of_requests(options));
    let store = builder.with_http_connector(connector).build();
    let store = Arc::new(store.map_err(|error| error.to_string())?);
    Ok(Opened { multipart: Some(store.clone()), store, kind: Kind::OtherCloud, secrets })
}

fn azure(container: &str, options: &Options, connector: Connector) -> Result<Opened, String> {
    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_config(AzureConfigKey::Client(ClientConfigKey::Timeout), seconds(options));
    for (name, value) in &options.store {
        builder = builder.with_config(name.parse().map_err(|_| unknown(name, "Azure"))?, value);
    }
    let set = |key: AzureConfigKey| builder.get_config_value(&key);
    encrypted(set(AzureConfigKey::Endpoint), set(AzureConfigKey::Client(ClientConfigKey::AllowHttp)))?;
    let secrets =
        [AzureConfigKey::AccessKey, AzureConfigKey::ClientSecret, AzureConfigKey::SasKey, AzureConfigKey::Token]
            .map(|key| builder.get_config_value(&key))
            .into();
    let builder = builder.with_container_name(container).with_retry(retry::of_requests(options));
    let store = builder.with_http_connector(connector).build();
    let store = Arc::new(store.map_err(|error| error.to_string())?);
    Ok(Opened { multipart: Some(store.clone()), store, kind: Kind::OtherCloud, secrets })
}

/// Refuses an endpoint without TLS, unless it was allowed.
fn encrypted(endpoint: Option<String>, allow_http: Option<String>) -> Result<(), String> {
    let plain = endpoint.is_some_and(|endpoint| endpoint.to_ascii_lowercase().starts_with("http://"));
    if plain && allow_http.as_deref() != Some("true") {
        return Err("the endpoint is not encrypted: set allow_http=true if that is what you want".into());
    }
    Ok(())
}

fn seconds(options: &Options) -> String {
    format!("{}s", options.deadline.as_secs().max(1))
}

fn unknown(name: &str, store: &str) -> String {
    format!("{name:?} is no setting of {store}")
}

fn yes(name: &str, value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| format!("{name} is true or false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str, settings: &[(&str, &str)]) -> String {
        let mut options = Options::default();
        options.store.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Target::open("t".parse().unwrap(), url, options).unwrap_err().to_string()
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_with_what_to_do() {
        assert!(refused("nonsense", &[]).contains("not valid"));
        assert!(refused("ftp://host/x", &[]).contains("use file, s3"));
        assert!(refused("s3://", &[]).contains("bucket"));
        assert!(refused("file://host/x", &[]).contains("absolute directory"));
        assert!(refused("s3://bucket/x", &[("colour", "red")]).contains("colour"));
        assert!(refused("s3://bucket/x", &[("endpoint", "http://h:1")]).contains("allow_http"));
        assert!(refused("az://bucket/x", &[("endpoint", "http://h:1")]).contains("allow_http"));
    }

    #[test]
    fn the_other_clouds_are_opened_with_their_own_settings() {
        let opened = |url: &str, settings: &[(&str, &str)]| {
            let mut options = Options::default();
            options.store.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            Target::open("t".parse().unwrap(), url, options).map(|target| target.to_string())
        };
        let account = [("account_name", "acct"), ("access_key", "aHVudGVyMg==")];
        assert_eq!(opened("az://container/pre", &account).unwrap(), "t (az://container/pre)");
        assert_eq!(opened("gs://bucket/pre", &[("bearer_token", "x")]).unwrap(), "t (gs://bucket/pre)");
        assert!(refused("gs://bucket/x", &[("colour", "red")]).contains("colour"));
        assert!(refused("az://bucket/x", &[("colour", "red")]).contains("colour"));
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        let error = refused("s3://key:hunter2@bucket/x", &[]);
        assert!(error.contains("options") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn what_is_shown_of_a_target_is_its_name_and_place() {
        let mut options = Options::default();
        for (name, value) in [("access_key_id", "AKIA1234"), ("secret_access_key", "hunter2"), ("region", "eu")] {
            options.store.insert(name.into(), value.into());
        }
        let target = Target::open("archive".parse().unwrap(), "s3://bucket/pre", options).unwrap();
        assert_eq!(format!("{target} {target:?}"), "archive (s3://bucket/pre) Target(archive (s3://bucket/pre))");
    }
}
