//! Session descriptions as text: which sections there are, and whose track a section carries.
//!
//! The WebRTC library negotiates; this reads what it does not tell (the publisher's own name of a track) and
//! writes what it does not let us say: the names under which a section reaches the subscriber, and that an
//! unused section carries nothing.

use std::fmt::Write;

/// Most sections of one description that are looked at.
const SECTIONS: usize = 512;

/// What a section carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Picture.
    Video,
    /// Data channels, or something unknown.
    Other,
}

/// Who sends, seen from whoever wrote the description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Both.
    Both,
    /// The writer.
    Sends,
    /// The reader.
    Receives,
    /// Nobody.
    Nobody,
}

impl Flow {
    /// Whether the writer sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::Both | Self::Sends)
    }

    /// Whether the writer receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::Both | Self::Receives)
    }
}

/// One section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its `a=mid`.
    pub mid: String,
    /// What it carries.
    pub kind: Kind,
    /// Who sends.
    pub flow: Flow,
    /// The writer's names of stream and track.
    pub msid: Option<(String, String)>,
}

fn flow_of(line: &str) -> Option<Flow> {
    match line {
        "a=sendrecv" => Some(Flow::Both),
        "a=sendonly" => Some(Flow::Sends),
        "a=recvonly" => Some(Flow::Receives),
        "a=inactive" => Some(Flow::Nobody),
        _ => None,
    }
}

/// The sections of a description, in order.
#[must_use]
pub fn sections(sdp: &str) -> Vec<Section> {
    let mut out: Vec<Section> = Vec::new();
    for line in sdp.lines().map(str::trim_end) {
        if let Some(media) = line.strip_prefix("m=") {
            if out.len() == SECTIONS {
                break;
            }
            let mut words = media.split(' ');
            let kind = match words.next() {
                Some("audio") => Kind::Audio,
                Some("video") => Kind::Video,
                Some(_) | None => Kind::Other,
            };
            let is_rejected = words.next() == Some("0");
            out.push(Section {
                mid: String::new(),
                kind,
                flow: if is_rejected { Flow::Nobody } else { Flow::Both },
                msid: None,
            });
            continue;
        }
        let Some(section) = out.last_mut() else { continue };
        if let Some(mid) = line.strip_prefix("a=mid:") {
            mid.clone_into(&mut section.mid);
        } else if let Some(msid) = line.strip_prefix("a=msid:") {
            let mut names = msid.split(' ');
            let (stream, track) = (names.next().unwrap_or(""), names.next().unwrap_or(""));
            section.msid = Some((stream.to_owned(), track.to_owned()));
        } else if let Some(flow) = flow_of(line) {
            section.flow = flow;
        }
    }
    out
}

/// What is to be said of a section of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries<'a> {
    /// What stands there.
    AsIs,
    /// This track.
    Track {
        /// The stream's name.
        stream: &'a str,
        /// The track's name.
        track: &'a str,
    },
    /// Nothing from us.
    Nothing,
}

/// Writes our description anew with what `carries` says of each section, by its mid.
#[must_use]
pub fn rewrite<'a>(sdp: &str, carries: impl Fn(&str) -> Carries<'a>) -> String {
    let mut out = String::with_capacity(sdp.len() + 256);
    let mut section: Vec<&str> = Vec::new();
    for line in sdp.lines().map(str::trim_end) {
        if line.starts_with("m=") {
            write_section(&mut out, &section, &carries);
            section.clear();
        }
        section.push(line);
    }
    write_section(&mut out, &section, &carries);
    out
}

fn write_section<'a>(out: &mut String, lines: &[&str], carries: &impl Fn(&str) -> Carries<'a>) {
    let is_media = lines.first().is_some_and(|line| line.starts_with("m="));
    let mid = lines.iter().find_map(|line| line.strip_prefix("a=mid:"));
    let carried = match mid {
        Some(mid) if is_media => carries(mid),
        Some(_) | None => Carries::AsIs,
    };
    for line in lines {
        match carried {
            Carries::AsIs => push(out, line),
            Carries::Track { stream, track } => write_named(out, line, stream, track),
            Carries::Nothing => write_silent(out, line),
        }
    }
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push_str("\r\n");
}

fn write_named(out: &mut String, line: &str, stream: &str, track: &str) {
    // Writing to a String cannot fail.
    if line.starts_with("a=msid:") {
        let _ = write!(out, "a=msid:{stream} {track}\r\n");
    } else if let Some((ssrc, _)) = line.split_once(" msid:").filter(|_| line.starts_with("a=ssrc:")) {
        let _ = write!(out, "{ssrc} msid:{stream} {track}\r\n");
    } else {
        push(out, line);
    }
}

fn write_silent(out: &mut String, line: &str) {
    if line.starts_with("a=msid:") || line.starts_with("a=ssrc") {
        return;
    }
    match flow_of(line) {
        Some(Flow::Both | Flow::Receives) => push(out, "a=recvonly"),
        Some(Flow::Sends | Flow::Nobody) => push(out, "a=inactive"),
        None => push(out, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANSWER: &str = "v=0\r\na=group:BUNDLE 0 1 2\r\na=msid-semantic: WMS x\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=sendonly\r\na=msid:x y\r\na=ssrc:5 cname:q\r\na=ssrc:5 msid:x y\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=sendonly\r\na=msid:x z\r\na=ssrc-group:FID 6 7\r\na=ssrc:6 msid:x z\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:2\r\na=recvonly\r\n";

    #[test]
    fn sections_are_read_with_their_names_and_directions() {
        let read = sections(ANSWER);
        assert_eq!(read.len(), 3);
        assert_eq!(read[0].msid, Some(("x".to_owned(), "y".to_owned())));
        assert_eq!((read[1].kind, read[1].flow), (Kind::Video, Flow::Sends));
        assert!(read[2].flow.receives() && !read[2].flow.sends());
    }

    #[test]
    fn a_section_gets_the_track_it_carries_or_falls_silent() {
        let said = rewrite(ANSWER, |mid| match mid {
            "0" => Carries::Track {
                stream: "PA_1|camera",
                track: "TR_1",
            },
            "1" => Carries::Nothing,
            _ => Carries::AsIs,
        });
        let read = sections(&said);
        assert_eq!(read[0].msid, Some(("PA_1|camera".to_owned(), "TR_1".to_owned())));
        assert!(said.contains("a=ssrc:5 msid:PA_1|camera TR_1\r\n") && said.contains("a=ssrc:5 cname:q\r\n"));
        assert_eq!((read[1].flow, read[1].msid.clone()), (Flow::Nobody, None));
        assert!(!said.contains("ssrc-group") && !said.contains("a=ssrc:6"));
        assert_eq!(read[2].flow, Flow::Receives);
    }

    #[test]
    fn what_we_would_both_send_and_receive_is_only_received() {
        let said = rewrite("m=audio 9 X 1\r\na=mid:0\r\na=sendrecv\r\na=msid:a b\r\n", |_| {
            Carries::Nothing
        });
        assert_eq!(said, "m=audio 9 X 1\r\na=mid:0\r\na=recvonly\r\n");
    }

    proptest! {
        #[test]
        fn any_text_can_be_read_and_rewritten(text in "([avm]=[ -~]{0,30}\r?\n){0,40}") {
            let before = sections(&text);
            let said = rewrite(&text, |_| Carries::Nothing);
            prop_assert_eq!(sections(&said).len(), before.len());
            prop_assert!(sections(&said).iter().all(|section| section.mid.is_empty() || section.msid.is_none()));
            prop_assert_eq!(rewrite(&said, |_| Carries::AsIs), said);
        }

        #[test]
        fn no_text_makes_a_description_panic(text in "\\PC{0,300}") {
            let _ = rewrite(&text, |mid| if mid.is_empty() { Carries::AsIs } else { Carries::Nothing });
        }
    }
}
