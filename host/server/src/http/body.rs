//! Request bodies: bounded, and strict about what they hold.

use std::time::Duration;

use axum::{
    body::HttpBody,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use tidegate_core::{Code, quoted, told};

use super::Failure;

/// Bytes of a JSON body: a bot's settings of 64 KiB, escaped, with room to spare.
const JSON_BYTES: usize = 256 << 10;
/// For the whole body to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

/// A JSON body that may be left out.
pub(crate) struct Optional<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Failure;
    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        refuse_type(request.headers(), &["application/json"])?;
        parse(&read(request, JSON_BYTES).await?).map(Self)
    }
}

impl<T: DeserializeOwned + Default, S: Sync> FromRequest<S> for Optional<T> {
    type Rejection = Failure;
    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let headers = request.headers().clone();
        let bytes = read(request, JSON_BYTES).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        refuse_type(&headers, &["application/json"])?;
        parse(&bytes).map(Self)
    }
}

/// Refuses a body that says it is something else. One that says nothing is taken for what is wanted.
pub(crate) fn refuse_type(headers: &HeaderMap, wanted: &[&str]) -> Result<(), Failure> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if wanted.iter().any(|one| essence.eq_ignore_ascii_case(one)) {
        return Ok(());
    }
    let given = String::from_utf8_lossy(given.as_bytes());
    let detail = format!("the content-type is {}; send {}", quoted(&given), wanted.join(" or "));
    Err(Failure::bad_request(detail).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

/// The whole body, at most `limit` bytes of it.
///
/// # Errors
/// It is larger, does not arrive in time, or the connection broke.
pub(crate) async fn read(mut request: Request, limit: usize) -> Result<Bytes, Failure> {
    let body = request.body_mut();
    let too_large = || Failure::new(Code::TooLarge, format!("the body may have {limit} bytes"));
    if body.size_hint().lower() > limit as u64 {
        discard(request).await;
        return Err(too_large());
    }
    match tokio::time::timeout(PATIENCE, Limited::new(body, limit).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            discard(request).await;
            Err(too_large())
        }
        Ok(Err(error)) => Err(Failure::bad_request(format!("the body could not be read: {error}"))),
        Err(_) => {
            Err(Failure::bad_request("the body did not arrive within a minute")
                .with_status(StatusCode::REQUEST_TIMEOUT))
        }
    }
}

/// Takes what the client still sends, within bounds: one that is cut off while it writes often never sees the answer.
pub(crate) async fn discard(request: Request) {
    const BYTES: usize = 256 << 20;
    let mut body = request.into_body();
    let drain = async {
        let mut seen = 0;
        while let Some(Ok(frame)) = body.frame().await {
            seen += frame.data_ref().map_or(0, Bytes::len);
            if seen > BYTES {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), drain).await;
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    // serde takes a list for a struct as well: its values in the order of its fields, which says nothing by name.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Failure::bad_request("the body is a list; send a JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| explain::<T>(bytes, &error))
}

/// Parses once more to say where it went wrong; the common, correct case is not made to pay for it.
fn explain<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> Failure {
    if bytes.is_empty() {
        return Failure::bad_request("the body is empty; send a JSON object");
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let place = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(error) if error.path().iter().any(|segment| matches!(segment, Segment::Map { .. })) => {
            format!("field `{}`: ", told(&error.path().to_string()))
        }
        _ => String::new(),
    };
    Failure::bad_request(format!("{place}{}", told(&error.to_string())))
}

#[cfg(test)]
mod tests {
    use tidegate_api::{Begin, Commit};

    use super::*;

    #[test]
    fn a_wrong_body_is_explained() {
        for (body, said) in [
            ("", "empty"),
            ("{", "EOF"),
            ("[]", "a JSON object"),
            (r#" ["a",1,0,1,null]"#, "a JSON object"),
            (r#"{"run":"a","step":-1,"rank":0,"world_size":1}"#, "field `step`"),
            (r#"{"run":"a","step":1,"rank":99999999999,"world_size":1}"#, "field `rank`"),
            (r#"{"run":"a","step":1,"rank":0}"#, "world_size"),
            (r#"{"run":"a","step":1,"rank":0,"world_size":1,"colour":"red"}"#, "colour"),
            (r#"{"run":"a","step":1,"rank":0,"world_size":1} x"#, "trailing"),
        ] {
            let problem = parse::<Begin>(body.as_bytes()).unwrap_err().into_problem();
            assert_eq!(problem.code, "TG0002");
            assert!(problem.detail.contains(said), "{body}: {}", problem.detail);
        }
    }

    #[test]
    fn a_metric_that_is_no_number_is_refused() {
        for body in [r#"{"metrics":{"loss":NaN}}"#, r#"{"metrics":{"loss":"low"}}"#, r#"{"metrics":{"loss":1e999}}"#] {
            assert!(parse::<Commit>(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        assert!(parse::<serde_json::Value>(deep.as_bytes()).is_err());
    }

    #[test]
    fn no_value_is_told_whole() {
        let long = "x".repeat(100_000);
        for body in [
            format!(r#"{{"run":1,"step":"{long}"}}"#),
            format!(r#"{{"run":"a","step":"{long}","rank":0,"world_size":1}}"#),
            format!(r#"{{"run":"a","step":1,"rank":0,"world_size":1,"{long}":1}}"#),
            format!(r#"{{"run":{{"{long}":1}}}}"#),
        ] {
            let detail = parse::<Begin>(body.as_bytes()).unwrap_err().into_problem().detail;
            assert!(detail.len() < 1200 && !detail.is_empty(), "{} bytes", detail.len());
        }
    }
}
