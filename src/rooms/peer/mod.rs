//! One WebRTC connection of a participant. The WebRTC library is known here and nowhere else.
