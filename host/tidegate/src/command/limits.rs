use tidegate_client::{Client, api::Limits};

use crate::{
    exit::Failure,
    show::{Out, bytes},
};

/// What transfers to and from the object target may use together; changed while they run, until the host restarts
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Bytes a second to the target, such as 50M or 1.5G (powers of 1000), or `none`
    #[arg(long, value_name = "RATE", value_parser = rate)]
    upload: Option<Bounded>,
    /// Bytes a second from the target; restores go first
    #[arg(long, value_name = "RATE", value_parser = rate)]
    download: Option<Bounded>,
    /// Requests a second
    #[arg(long, value_name = "RATE", value_parser = rate)]
    requests: Option<Bounded>,
}

/// A rate, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounded(Option<u64>);

/// What may stand behind a number.
const UNITS: [(&str, u64); 4] = [("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000), ("", 1)];

fn rate(text: &str) -> Result<Bounded, String> {
    if text == "none" {
        return Ok(Bounded(None));
    }
    let wrong = || "give a number of 1 or more with k, M or G behind it, or none".to_owned();
    let number = UNITS.iter().find_map(|(unit, size)| text.strip_suffix(unit).map(|number| (number, *size)));
    let (number, size) = number.ok_or_else(wrong)?;
    // Digits and a point only: `f64` reads much else, such as `inf`.
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(wrong());
    }
    let value = number.parse::<f64>().map_err(|_| wrong())? * size as f64;
    if (1.0..1e18).contains(&value) { Ok(Bounded(Some(value.round() as u64))) } else { Err(wrong()) }
}

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    let Args { upload, download, requests } = args;
    let mut limits = client.limits().await?;
    if upload.is_some() || download.is_some() || requests.is_some() {
        for (place, asked) in
            [(&mut limits.upload_rate, upload), (&mut limits.download_rate, download), (&mut limits.requests, requests)]
        {
            if let Some(Bounded(rate)) = asked {
                *place = rate;
            }
        }
        limits = client.set_limits(&limits).await?;
    }
    out.value(&limits, || text(&limits))
}

fn text(limits: &Limits) -> String {
    let rate = |rate: Option<u64>| rate.map_or_else(|| "no bound".to_owned(), |rate| format!("{}/s", bytes(rate)));
    let requests = limits.requests.map_or_else(|| "no bound".to_owned(), |rate| format!("{rate}/s"));
    let Limits { upload_rate, download_rate, .. } = *limits;
    format!("upload    {}\ndownload  {}\nrequests  {requests}", rate(upload_rate), rate(download_rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_with_a_unit_or_none() {
        let bound = |text| rate(text).map(|Bounded(rate)| rate);
        assert_eq!(bound("none"), Ok(None));
        assert_eq!(bound("500"), Ok(Some(500)));
        assert_eq!(bound("16k"), Ok(Some(16_000)));
        assert_eq!(bound("1.5G"), Ok(Some(1_500_000_000)));
        for nonsense in ["", "M", "0", "-1", "1e9", "inf", "1.2.3", "5 M", "fast", "99999999999G"] {
            assert!(bound(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn what_is_not_bounded_is_said_to_be() {
        let limits = Limits { upload_rate: Some(50_000_000), ..Limits::default() };
        assert_eq!(text(&limits), "upload    47.68 MiB/s\ndownload  no bound\nrequests  no bound");
    }
}
