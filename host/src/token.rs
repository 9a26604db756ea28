//! Tokens: proof of how far a log had come, and their text form.
//!
//! The text is one word without spaces, `LOG-FRAME-CHECK`: the id of the log as 32 lowercase hexadecimal digits, the
//! number of the frame in decimal without leading zeros, and the chain value as 32 lowercase hexadecimal digits.
//! Every token has exactly one text, and other texts are refused.

use std::{fmt, str::FromStr};

/// A point in the history of one log. Given to an open ([`Options::expect`](crate::journal::Options::expect)), it proves
/// that the log still contains everything that was durable then.
///
/// ```
/// use annals::Token;
///
/// let token = Token { log: 0xabc, frame: 17, check: 1 };
/// let text = token.to_string();
/// assert_eq!(text, "00000000000000000000000000000abc-17-00000000000000000000000000000001");
/// assert_eq!(text.parse(), Ok(token));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// Id of the log, drawn at its creation.
    pub log: u128,
    /// Number of the frame.
    pub frame: u64,
    /// Chain value of the frame.
    pub check: u128,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}-{}-{:032x}", self.log, self.frame, self.check)
    }
}

/// A text that is no token.
///
/// ```
/// use annals::token::{ParseTokenError, Token};
///
/// assert_eq!("no token".parse::<Token>(), Err(ParseTokenError));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseTokenError;

impl fmt::Display for ParseTokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this is not a token: a token is 32 hexadecimal digits, a number and 32 more digits, joined by `-`; \
             copy the whole word that an earlier sync or append printed",
        )
    }
}

impl std::error::Error for ParseTokenError {}

impl FromStr for Token {
    type Err = ParseTokenError;

    fn from_str(text: &str) -> Result<Token, ParseTokenError> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().ok_or(ParseTokenError);
        let token = Token { log: hex(part()?)?, frame: decimal(part()?)?, check: hex(part()?)? };
        Ok(token)
    }
}

fn hex(text: &str) -> Result<u128, ParseTokenError> {
    let lowercase = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != 32 || !lowercase {
        return Err(ParseTokenError);
    }
    u128::from_str_radix(text, 16).map_err(|_| ParseTokenError)
}

fn decimal(text: &str) -> Result<u64, ParseTokenError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if !plain {
        return Err(ParseTokenError);
    }
    text.parse().map_err(|_| ParseTokenError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_survives_its_text() {
        for value in [0, 1, u64::MAX] {
            let token = Token { log: u128::from(value) << 60, frame: value, check: !u128::from(value) };
            assert_eq!(token.to_string().parse(), Ok(token));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let good = Token { log: 0xabc, frame: 10, check: 5 }.to_string();
        assert!(good.parse::<Token>().is_ok());
        let (zeros, ones) = ("0".repeat(32), "1".repeat(32));
        for bad in [
            String::new(),
            good.to_uppercase(),
            format!(" {good}"),
            format!("{good}-"),
            format!("{good}0"),
            good.replace("-10-", "-010-"),
            good.replace("-10-", "-+10-"),
            good.replace("-10-", "--"),
            good.replace("-10-", "-18446744073709551616-"),
            format!("{zeros}-{ones}"),
            format!("+{}-1-{ones}", &zeros[1..]),
        ] {
            assert_eq!(bad.parse::<Token>(), Err(ParseTokenError), "{bad:?}");
        }
    }
}
