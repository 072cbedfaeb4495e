//! What a call's failure is in Twirp's words: the table `LiveKit`'s SDKs expect, with the SIP status beside it.

use crate::livekit::twirp::{Code, TwirpError};
use strowger_model::HangupCause;

/// The refusal for a call that failed with this cause.
pub(crate) fn of_cause(cause: HangupCause) -> TwirpError {
    let (status, words) = strowger_switch::cause::status(cause);
    TwirpError::new(code_of(status), format!("sip status: {status}: {words}"))
        .with("sip_status_code", status.to_string())
        .with("sip_status", words)
}

/// The Twirp code of a SIP status.
const fn code_of(status: u16) -> Code {
    match status {
        400 | 402 | 405 | 406 | 411..=422 | 484 | 485 | 488 => Code::InvalidArgument,
        401 | 403 | 603 | 607 | 608 => Code::PermissionDenied,
        404 | 410 | 604 => Code::NotFound,
        407 => Code::Unauthenticated,
        408 | 504 => Code::DeadlineExceeded,
        480 | 502 | 503 => Code::Unavailable,
        486 | 600 => Code::ResourceExhausted,
        487 => Code::Canceled,
        501 => Code::Unimplemented,
        500 => Code::Internal,
        _ => Code::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_phone_and_a_declined_call_are_told_apart() {
        let busy = serde_json::json!(of_cause(HangupCause::Busy));
        assert_eq!(busy["code"], "resource_exhausted");
        assert_eq!(busy["meta"]["sip_status_code"], "486");
        let declined = serde_json::json!(of_cause(HangupCause::Rejected));
        assert_eq!(declined["code"], "permission_denied");
        assert_eq!(declined["meta"]["sip_status"], "Decline");
    }
}
