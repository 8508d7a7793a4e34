//! A moment, with the offset from UTC that its author's clock showed.

use std::fmt;
use std::str::FromStr;

use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00Z and the author's offset from UTC in minutes.
///
/// Text form: RFC 3339 with milliseconds, such as `2026-11-20T10:15:30.250+01:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Time {
    pub milliseconds: i64,
    pub offset_minutes: i16,
}

/// Text that is no time, or a time that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time: a form like 2026-11-20T10:15:30+01:00 is wanted")]
pub struct TimeError(String);

impl Time {
    /// The system's clock and time zone.
    pub fn now() -> Self {
        let now = jiff::Zoned::now();
        let minutes = now.offset().seconds() / 60;
        // An offset is at most 26 hours either way, so its minutes fit.
        Time { milliseconds: now.timestamp().as_millisecond(), offset_minutes: minutes as i16 }
    }

    fn zoned(&self) -> Option<jiff::Zoned> {
        let offset = Offset::from_seconds(i32::from(self.offset_minutes) * 60).ok()?;
        let timestamp = jiff::Timestamp::from_millisecond(self.milliseconds).ok()?;
        Some(timestamp.to_zoned(TimeZone::fixed(offset)))
    }

    /// `2026-11-20 10:15`, in the author's own time.
    pub fn to_minutes(&self) -> String {
        match self.zoned() {
            Some(zoned) => zoned.strftime("%Y-%m-%d %H:%M").to_string(),
            None => format!("{} ms", self.milliseconds),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.zoned() {
            Some(zoned) => write!(f, "{}", zoned.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z")),
            None => write!(f, "{} ms{:+} min", self.milliseconds, self.offset_minutes),
        }
    }
}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let wrong = || TimeError(text.to_owned());
        let pieces = jiff::fmt::temporal::DateTimeParser::new().parse_pieces(text).map_err(|_| wrong())?;
        let time = pieces.time().ok_or_else(wrong)?;
        let offset = pieces.to_numeric_offset().ok_or_else(wrong)?;
        let timestamp = offset.to_timestamp(pieces.date().to_datetime(time)).map_err(|_| wrong())?;
        let offset_minutes = i16::try_from(offset.seconds() / 60).map_err(|_| wrong())?;
        Ok(Time { milliseconds: timestamp.as_millisecond(), offset_minutes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_its_text_form() {
        let time = Time { milliseconds: 1_763_630_130_250, offset_minutes: 60 };
        assert_eq!(time.to_string(), "2025-11-20T10:15:30.250+01:00");
        assert_eq!(time.to_string().parse(), Ok(time));
        assert_eq!(time.to_minutes(), "2025-11-20 10:15");
        let before = Time { milliseconds: -1, offset_minutes: -570 };
        assert_eq!(before.to_string().parse(), Ok(before));
    }

    #[test]
    fn text_without_an_offset_is_no_time() {
        for text in ["", "yesterday", "2026-11-20", "2026-11-20T10:15:30"] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
        assert_eq!("2025-11-20T09:15:30Z".parse::<Time>().map(|t| t.offset_minutes), Ok(0));
    }
}
