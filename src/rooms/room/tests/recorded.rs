use super::*;
use crate::forward::Packet;
use crate::tap::{Tap, TapFilter, TrackTag};
use std::sync::Mutex;
use strowger_media::{AudioPort, FRAME_SAMPLES};

/// What a recorder got: who began, and packets of each.
type Notes = Arc<Mutex<Vec<String>>>;

struct Ear {
    notes: Notes,
    keeps: bool,
}

impl Tap for Ear {
    fn opened(&mut self, track: &Arc<TrackTag>, _now: Instant) {
        self.notes.lock().unwrap().push(format!("{} begins", track.identity));
    }

    fn packet(&mut self, track: &Arc<TrackTag>, _packet: &Packet, _now: Instant) {
        self.notes.lock().unwrap().push(track.identity.clone());
    }

    fn closed(&mut self, _track: &Arc<TrackTag>, _now: Instant) {}

    fn keeps(&self) -> bool {
        self.keeps
    }
}

fn listen(meeting: &mut Meeting, keeps: bool) -> Notes {
    let notes = Notes::default();
    let ear = Ear {
        notes: Arc::clone(&notes),
        keeps,
    };
    let now = meeting.now;
    meeting.room.tap(TapFilter::AllAudio, Box::new(ear), now);
    notes
}

fn phone(meeting: &mut Meeting, identity: &str, is_recordable: bool) -> (String, AudioPort) {
    let (port, far) = AudioPort::pair();
    let caller = PhoneArrival {
        identity: identity.to_owned(),
        name: String::new(),
        metadata: String::new(),
        attributes: BTreeMap::new(),
        grants: Grants::default(),
        port,
        is_recordable,
    };
    let (_, sid, _) = meeting.room.join_phone(caller, meeting.now).unwrap();
    meeting.perform();
    (sid, far)
}

fn speak(meeting: &mut Meeting, phones: &[&AudioPort]) {
    let mut turn = 0_usize;
    meeting.run(Duration::from_millis(400), |_| {
        turn += 1;
        let sign = if turn.is_multiple_of(2) { 1 } else { -1 };
        for phone in phones {
            let frame =
                std::array::from_fn::<i16, FRAME_SAMPLES, _>(|at| if at % 8 < 4 { 6_000 * sign } else { -6_000 });
            assert!(phone.push(&frame));
        }
    });
}

fn count(notes: &Notes, wanted: &str) -> usize {
    notes.lock().unwrap().iter().filter(|note| *note == wanted).count()
}

#[test]
fn nothing_is_recorded_of_a_phone_until_it_was_told() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let bob = meeting.join("bob");
    meeting.wait(1_000);
    let (told, told_says) = phone(&mut meeting, "told", false);
    let (_, other_says) = phone(&mut meeting, "other", true);
    let (kept, passed_on) = (listen(&mut meeting, true), listen(&mut meeting, false));
    speak(&mut meeting, &[&told_says, &other_says]);
    assert_eq!((count(&kept, "told begins"), count(&kept, "told")), (0, 0));
    assert!(count(&kept, "other") > 10 && count(&passed_on, "told") > 10);
    let spoken = meeting.guests[bob].client.heard.len();
    assert!(spoken > 10, "the members hear it all the same");
    meeting.room.phone_recordable(&told, meeting.now).unwrap();
    meeting.room.phone_recordable(&told, meeting.now).unwrap();
    assert_eq!((count(&kept, "told begins"), count(&passed_on, "told begins")), (1, 1));
    speak(&mut meeting, &[&told_says]);
    assert!(count(&kept, "told") > 10);
    // A recorder that comes later knows no difference.
    let late = listen(&mut meeting, true);
    assert_eq!(count(&late, "told begins"), 1);
}

#[test]
fn phones_learn_that_their_room_is_recorded_and_that_it_no_longer_is() {
    let mut meeting = Meeting::new(RoomOptions::default());
    let _early = phone(&mut meeting, "early", true);
    assert_eq!(meeting.phones, [PhoneEvent::Agent(false)]);
    meeting.room.set_recording(true);
    meeting.room.set_recording(true);
    meeting.perform();
    assert_eq!(meeting.phones[1..], [PhoneEvent::Recorded(true)]);
    let _late = phone(&mut meeting, "late", true);
    assert_eq!(
        meeting.phones[2..],
        [PhoneEvent::Agent(false), PhoneEvent::Recorded(true)]
    );
    meeting.room.set_recording(false);
    meeting.perform();
    assert_eq!(
        meeting.phones[4..],
        [PhoneEvent::Recorded(false), PhoneEvent::Recorded(false)]
    );
}
