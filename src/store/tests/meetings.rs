use super::harness::{actor, on_each_engine};
use crate::{Error, MeetingChange, NewGuestLink};
use strowger_model::meeting::{Invitation, LinkState, RoomRole, Schedule};
use time::Duration;

#[test]
fn what_is_said_about_a_room_comes_back() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let ada = bench.user(&scope, "ada", "101").await;
        let meetings = scope.meetings();
        let made = meetings
            .create(&actor(), Some(ada.id), MeetingChange::named("daily"))
            .await
            .unwrap();
        assert_eq!(meetings.named("daily").await.unwrap(), Some(made.clone()));
        let starts_at = made.room.created_at + Duration::DAY;
        let change = MeetingChange {
            title: "Stand-up".into(),
            waiting_room: true,
            max_participants: 12,
            pin: Some("4711".into()),
            schedule: Some(Schedule {
                starts_at,
                ends_at: starts_at + Duration::HOUR,
                zone: "Europe/Berlin".into(),
            }),
            ..MeetingChange::named("daily")
        };
        let changed = meetings.update(&actor(), made.id(), &change).await.unwrap().unwrap();
        assert_eq!((changed.title.as_str(), changed.max_participants), ("Stand-up", 12));
        assert_eq!(changed.schedule, change.schedule);
        assert_eq!(meetings.with_pin("4711").await.unwrap(), Some(changed));
        assert!(meetings.set_locked(&actor(), made.id(), true).await.unwrap());
        assert!(meetings.list().await.unwrap()[0].locked);
    });
}

#[test]
fn the_same_name_in_two_tenants_is_two_rooms() {
    on_each_engine(|bench| async move {
        let (acme, zenith) = (bench.tenant("acme").await, bench.tenant("zenith").await);
        let new = || MeetingChange::named("a-b");
        let one = acme.meetings().create(&actor(), None, new()).await.unwrap();
        let two = zenith.meetings().create(&actor(), None, new()).await.unwrap();
        assert_ne!(one.id(), two.id());
        assert!(zenith.meetings().get(one.id()).await.unwrap().is_none());
        assert!(!zenith.meetings().set_locked(&actor(), one.id(), true).await.unwrap());
        let taken = acme.meetings().create(&actor(), None, new()).await;
        assert!(matches!(taken, Err(Error::Taken { field }) if field == "name"));
    });
}

#[test]
fn roles_and_invitations_name_people_of_the_tenant_only() {
    on_each_engine(|bench| async move {
        let (acme, zenith) = (bench.tenant("acme").await, bench.tenant("zenith").await);
        let ada = bench.user(&acme, "ada", "101").await;
        let eve = bench.user(&zenith, "eve", "101").await;
        let meetings = acme.meetings();
        let room = meetings
            .create(&actor(), Some(ada.id), MeetingChange::named("daily"))
            .await
            .unwrap()
            .id();
        assert_eq!(meetings.role_of(room, ada.id).await.unwrap(), RoomRole::Host);
        assert_eq!(meetings.role_of(room, eve.id).await.unwrap(), RoomRole::Participant);
        let foreign = meetings.set_role(&actor(), room, eve.id, RoomRole::Host).await;
        assert!(matches!(foreign, Err(Error::Dangling)));
        meetings
            .set_role(&actor(), room, ada.id, RoomRole::Moderator)
            .await
            .unwrap();
        assert_eq!(meetings.roles(room).await.unwrap(), [(ada.id, RoomRole::Moderator)]);
        let people = [Invitation {
            email: "bob@example.org".into(),
            name: "Bob".into(),
            user: None,
        }];
        assert!(meetings.invite(&actor(), room, &people).await.unwrap());
        assert_eq!(meetings.invited(room).await.unwrap(), people);
        assert!(!zenith.meetings().invite(&actor(), room, &people).await.unwrap());
        assert!(zenith.meetings().invited(room).await.unwrap().is_empty());
    });
}

#[test]
fn a_link_lets_one_person_in_once_and_nobody_after_it_is_taken_back() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let room = scope
            .meetings()
            .create(&actor(), None, MeetingChange::named("daily"))
            .await
            .unwrap()
            .id();
        let new = |hash: &str, once| NewGuestLink {
            room,
            label: "Customer".into(),
            once,
            expires_at: None,
            secret_hash: hash.into(),
        };
        let links = scope.guest_links();
        let once = links.create(&actor(), new("one", true)).await.unwrap();
        assert!(links.spend(&once).await.unwrap());
        assert!(!links.spend(&once).await.unwrap());
        let many = links.create(&actor(), new("two", false)).await.unwrap();
        assert!(links.spend(&many).await.unwrap() && links.spend(&many).await.unwrap());
        assert!(links.revoke(&actor(), many.id).await.unwrap());
        assert!(!links.spend(&many).await.unwrap());
        let found = bench.store.accounts().guest_link("two").await.unwrap().unwrap();
        assert_eq!(found.state(found.created_at), LinkState::Revoked);
        assert!(bench.store.accounts().guest_link("three").await.unwrap().is_none());
        let other = bench.tenant("zenith").await;
        assert!(!other.guest_links().revoke(&actor(), once.id).await.unwrap());
        assert!(other.guest_links().create(&actor(), new("four", true)).await.is_err());
        assert_eq!(links.of_room(room).await.unwrap().len(), 2);
        scope.rooms().remove(&actor(), room).await.unwrap();
        assert!(bench.store.accounts().guest_link("one").await.unwrap().is_none());
    });
}

#[test]
fn hosts_are_told_once_that_a_scheduled_meeting_opens_and_again_when_it_is_moved() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let ada = bench.user(&scope, "ada", "101").await;
        let meetings = scope.meetings();
        let made = meetings
            .create(&actor(), Some(ada.id), MeetingChange::named("weekly"))
            .await
            .unwrap();
        let change = |minutes| {
            let starts_at = made.room.created_at + Duration::minutes(minutes);
            MeetingChange {
                title: "Planning".into(),
                schedule: Some(Schedule {
                    starts_at,
                    ends_at: starts_at + Duration::HOUR,
                    zone: "UTC".into(),
                }),
                ..MeetingChange::named("weekly")
            }
        };
        meetings.update(&actor(), made.id(), &change(60)).await.unwrap();
        assert_eq!(
            bench.store.tell_of_due_meetings().await.unwrap(),
            0,
            "its doors are shut"
        );
        for (minutes, told) in [(14, 1), (14, 0), (10, 1)] {
            meetings.update(&actor(), made.id(), &change(minutes)).await.unwrap();
            assert_eq!(bench.store.tell_of_due_meetings().await.unwrap(), told);
        }
        let notices = scope.notices().list(&crate::Page::first(10)).await.unwrap().items;
        assert_eq!(notices.len(), 2);
        assert!(
            notices[0].detail.starts_with("Planning (weekly) begins at ") && notices[0].detail.contains("ada"),
            "{}",
            notices[0].detail
        );
    });
}
