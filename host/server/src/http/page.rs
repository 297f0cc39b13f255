//! Pages of a listing. A token names the last item of the page before (a keyset), so pages stay right while items come
//! and go. It is opaque to clients: a version, a check that it belongs to this very listing, and the key.

use serde::Deserialize;
use tidegate_core::Digest;
use utoipa::IntoParams;

use super::Failure;

/// Which page of a listing.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Listing {
    /// Items a page, 1 to 1000. Default = 100.
    pub(crate) limit: Option<usize>,
    /// The `next` of the page before.
    pub(crate) page: Option<String>,
}

const VERSION: &str = "1";
const DEFAULT: usize = 100;
const MOST: usize = 1000;

/// How many items a page may have: 100 unless told, at most 1000.
///
/// # Errors
/// A number out of these bounds.
pub(crate) fn limit(asked: Option<usize>) -> Result<usize, Failure> {
    match asked.unwrap_or(DEFAULT) {
        limit @ 1..=MOST => Ok(limit),
        other => Err(Failure::bad_request(format!("`limit` is {other}; give 1 to {MOST}"))),
    }
}

/// Where the last page ended: the key of its last item, within one listing such as `checkpoints gpt`.
pub(crate) struct Cursor<'a> {
    pub(crate) listing: &'a str,
    pub(crate) key: String,
}

impl<'a> Cursor<'a> {
    /// The token for `page`.
    pub(crate) fn token(&self) -> String {
        let hex: String = self.key.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("{VERSION}{}{hex}", self.check())
    }

    fn check(&self) -> String {
        let mut check = Digest::of(format!("{}\0{}", self.listing, self.key).as_bytes()).to_string();
        check.truncate(8);
        check
    }

    /// Reads a token that [`Cursor::token`] made for the same listing.
    ///
    /// # Errors
    /// Any other text.
    pub(crate) fn read(listing: &'a str, token: &str) -> Result<Self, Failure> {
        let wrong = || Failure::bad_request("`page` is not a token of this listing; give the `next` of its last page");
        let (check, hex) = token.strip_prefix(VERSION).and_then(|rest| rest.split_at_checked(8)).ok_or_else(wrong)?;
        let bytes = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect::<Option<Vec<u8>>>();
        let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(wrong)?;
        let cursor = Self { listing, key };
        if cursor.check() == check { Ok(cursor) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back() {
        let cursor = Cursor { listing: "checkpoints gpt", key: "1200".to_owned() };
        assert_eq!(Cursor::read("checkpoints gpt", &cursor.token()).unwrap().key, "1200");
    }

    #[test]
    fn a_token_of_another_listing_or_none_at_all_is_refused() {
        let token = Cursor { listing: "checkpoints gpt", key: "1200".to_owned() }.token();
        assert!(Cursor::read("checkpoints bert", &token).is_err());
        for bad in ["", "1", "2", "1é2345678", "100000000zz", &token[1..], &token[..token.len() - 1], "🦀🦀🦀🦀"]
        {
            assert!(Cursor::read("checkpoints gpt", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_page_has_bounds() {
        assert_eq!(limit(None).unwrap(), 100);
        assert!(limit(Some(0)).is_err() && limit(Some(1001)).is_err());
    }
}
