//! The n−1 mix of a meeting: everybody hears everybody but themselves. Pure; one [`Mixer::tick`] is 20 ms.
//!
//! A member's frames wait in a short queue first, because phones and networks do not keep our pace:
//! it starts to be heard once [`START_FRAMES`] are there, pauses when the queue runs dry, and drops
//! a frame when it grows beyond [`MOST_FRAMES`].

use crate::FRAME_SAMPLES;
use crate::port::AudioFrame;
use std::collections::VecDeque;

/// Frames a member must have queued before it is heard: 40 ms against jitter.
pub const START_FRAMES: usize = 2;
/// Frames a member may have queued; the oldest is dropped beyond, so that delay stays below 120 ms.
pub const MOST_FRAMES: usize = 6;

/// A member's number within one mixer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberKey(pub u64);

/// The mix of one meeting.
#[derive(Debug, Default)]
pub struct Mixer {
    members: Vec<Member>,
    sum: Sum,
}

#[derive(Debug)]
struct Sum([i32; FRAME_SAMPLES]);

impl Default for Sum {
    fn default() -> Self {
        Self([0; FRAME_SAMPLES])
    }
}

#[derive(Debug)]
struct Member {
    key: MemberKey,
    queue: VecDeque<AudioFrame>,
    /// Enough is queued to go on.
    running: bool,
    muted: bool,
    current: Option<AudioFrame>,
}

impl Mixer {
    /// A meeting without members.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a member in; one that is in already starts anew.
    pub fn join(&mut self, key: MemberKey) {
        self.leave(key);
        self.members.push(Member {
            key,
            queue: VecDeque::with_capacity(MOST_FRAMES + 1),
            running: false,
            muted: false,
            current: None,
        });
    }

    /// Takes a member out.
    pub fn leave(&mut self, key: MemberKey) {
        self.members.retain(|member| member.key != key);
    }

    /// Mutes a member for all others.
    pub fn mute(&mut self, key: MemberKey, muted: bool) {
        if let Some(member) = self.members.iter_mut().find(|member| member.key == key) {
            member.muted = muted;
        }
    }

    /// How many are in.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether nobody is in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Queues 20 ms of what a member says.
    pub fn put(&mut self, key: MemberKey, frame: &AudioFrame) {
        let Some(member) = self.members.iter_mut().find(|member| member.key == key) else {
            return;
        };
        member.queue.push_back(*frame);
        if member.queue.len() > MOST_FRAMES {
            member.queue.pop_front();
        }
    }

    /// Mixes the next 20 ms. `hear` is called once a member with what that member is to hear; the
    /// mix of all is returned.
    pub fn tick(&mut self, mut hear: impl FnMut(MemberKey, &AudioFrame)) -> AudioFrame {
        self.sum.0.fill(0);
        for member in &mut self.members {
            member.running = member.queue.len() >= START_FRAMES || (member.running && !member.queue.is_empty());
            member.current = if member.running { member.queue.pop_front() } else { None };
            if member.muted {
                member.current = None;
            }
            if let Some(frame) = &member.current {
                for (sum, sample) in self.sum.0.iter_mut().zip(frame) {
                    *sum += i32::from(*sample);
                }
            }
        }
        let all = saturated(&self.sum.0);
        for member in &self.members {
            match &member.current {
                None => hear(member.key, &all),
                Some(own) => {
                    let mut others = [0; FRAME_SAMPLES];
                    for ((other, sum), own) in others.iter_mut().zip(&self.sum.0).zip(own) {
                        *other = saturate(sum - i32::from(*own));
                    }
                    hear(member.key, &others);
                }
            }
        }
        all
    }
}

fn saturated(sum: &[i32; FRAME_SAMPLES]) -> AudioFrame {
    let mut frame = [0; FRAME_SAMPLES];
    for (sample, sum) in frame.iter_mut().zip(sum) {
        *sample = saturate(*sum);
    }
    frame
}

fn saturate(sum: i32) -> i16 {
    i16::try_from(sum).unwrap_or(if sum < 0 { i16::MIN } else { i16::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(level: i16) -> AudioFrame {
        [level; FRAME_SAMPLES]
    }

    fn heard(mixer: &mut Mixer) -> Vec<(u64, i16)> {
        let mut heard = Vec::new();
        mixer.tick(|key, frame| heard.push((key.0, frame[0])));
        heard
    }

    fn meeting(levels: &[i16]) -> Mixer {
        let mut mixer = Mixer::new();
        for (n, level) in levels.iter().enumerate() {
            mixer.join(MemberKey(n as u64));
            for _ in 0..START_FRAMES {
                mixer.put(MemberKey(n as u64), &frame(*level));
            }
        }
        mixer
    }

    #[test]
    fn everybody_hears_everybody_else() {
        let mut mixer = meeting(&[1, 20, 300]);
        assert_eq!(heard(&mut mixer), [(0, 320), (1, 301), (2, 21)]);
    }

    #[test]
    fn a_loud_meeting_saturates_and_does_not_wrap() {
        let mut mixer = meeting(&[30_000, 30_000, -1]);
        assert_eq!(heard(&mut mixer), [(0, 29_999), (1, 29_999), (2, i16::MAX)]);
    }

    #[test]
    fn one_frame_waits_for_the_next() {
        let mut mixer = meeting(&[5]);
        mixer.join(MemberKey(9));
        mixer.put(MemberKey(9), &frame(7));
        assert_eq!(heard(&mut mixer), [(0, 0), (9, 5)]);
        mixer.put(MemberKey(9), &frame(7));
        assert_eq!(heard(&mut mixer), [(0, 7), (9, 5)]);
    }

    #[test]
    fn a_member_that_says_too_much_keeps_its_newest() {
        let mut mixer = Mixer::new();
        mixer.join(MemberKey(0));
        mixer.join(MemberKey(1));
        for level in 0..20 {
            mixer.put(MemberKey(0), &frame(level));
        }
        assert_eq!(heard(&mut mixer), [(0, 0), (1, 20 - MOST_FRAMES as i16)]);
    }

    #[test]
    fn a_muted_member_is_not_heard_and_still_hears() {
        let mut mixer = meeting(&[5, 7]);
        mixer.mute(MemberKey(0), true);
        assert_eq!(heard(&mut mixer), [(0, 7), (1, 0)]);
    }

    #[test]
    fn who_left_is_not_heard() {
        let mut mixer = meeting(&[5, 7, 9]);
        mixer.leave(MemberKey(1));
        assert_eq!(heard(&mut mixer), [(0, 9), (2, 5)]);
    }
}
