use super::harness::{actor, on_each_engine};
use crate::keys::CryptoError;
use crate::{
    AuditFilter, DeviceChange, Error, NewDevice, NewNumber, NewSession, NewTenant, NewToken, NewTrunk, NewUser, Page,
    Store, UserChange, Verdict,
};
use std::sync::Arc;
use strowger_model::settings::{Entry, Lock};
use strowger_model::trunk::{DigestAlgorithm, Transport, TrunkKind};
use strowger_model::{Role, World};
use time::Duration;

fn taken<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Taken { field }) => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_must_be_unique_names_its_field() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let bob = bench.user(&scope, "bob", "101").await;
        let again = |email: &str, extension: &str| NewUser {
            email: email.into(),
            name: "x".into(),
            role: Role::User,
            extension: Some(extension.into()),
            password_hash: None,
        };
        let users = scope.users();
        assert_eq!(
            taken(users.create(&actor(), again(" BOB@example.org", "102")).await),
            "email"
        );
        assert_eq!(
            taken(users.create(&actor(), again("eve@example.org", "101")).await),
            "extension"
        );
        let new = NewTenant {
            name: "acme".into(),
            realm: "other".into(),
        };
        assert_eq!(taken(bench.store.tenants().create(&actor(), new).await), "name");
        let number = || NewNumber {
            number: "+4930".into(),
            friendly_name: "Main".into(),
            target: Some(strowger_model::trunk::NumberTarget::User(bob.id)),
            record: Some(false),
        };
        let made = scope.numbers().create(&actor(), number()).await.unwrap();
        assert_eq!(scope.numbers().by_number("+4930").await.unwrap(), Some(made));
        assert_eq!(taken(scope.numbers().create(&actor(), number()).await), "number");
    });
}

#[test]
fn a_session_ends_with_its_time_its_person_or_its_password() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let bob = bench.user(&scope, "bob", "101").await;
        let accounts = bench.store.accounts();
        let open = |hash: &str| NewSession {
            secret_hash: hash.into(),
            user: bob.id,
            csrf: "c".into(),
            expires_at: bench.world.now() + Duration::hours(1),
            user_agent: "browser".into(),
            source: "::1".into(),
        };
        accounts.open_session(&open("a")).await.unwrap();
        assert_eq!(accounts.session("a").await.unwrap().unwrap().user, bob);
        assert!(accounts.session("b").await.unwrap().is_none());
        scope.users().set_password_hash(&actor(), bob.id, "new").await.unwrap();
        assert!(accounts.session("a").await.unwrap().is_none());
        let account = accounts.by_email("Bob@Example.org").await.unwrap().unwrap();
        assert_eq!(account.password_hash.as_deref(), Some("new"));
        accounts.open_session(&open("c")).await.unwrap();
        bench.world.advance(3_600_001);
        assert!(accounts.session("c").await.unwrap().is_none());
        assert_eq!(accounts.sweep_sessions().await.unwrap(), 1);
        accounts.open_session(&open("d")).await.unwrap();
        let stopped = UserChange {
            email: bob.email.clone(),
            name: bob.name.clone(),
            role: bob.role,
            extension: bob.extension.clone(),
            active: false,
        };
        scope.users().update(&actor(), bob.id, &stopped).await.unwrap();
        assert!(accounts.session("d").await.unwrap().is_none());
    });
}

#[test]
fn the_first_run_code_works_once() {
    on_each_engine(|bench| async move {
        let accounts = bench.store.accounts();
        assert!(!accounts.has_admin().await.unwrap());
        accounts.set_first_run_code("old").await.unwrap();
        accounts.set_first_run_code("code").await.unwrap();
        let admin = || NewUser {
            email: "root@example.org".into(),
            name: "Root".into(),
            role: Role::User,
            extension: None,
            password_hash: Some("h".into()),
        };
        assert!(accounts.first_admin("old", admin()).await.unwrap().is_none());
        let made = accounts.first_admin("code", admin()).await.unwrap().unwrap();
        assert_eq!((made.role, made.tenant), (Role::PlatformAdmin, None));
        assert!(accounts.first_admin("code", admin()).await.unwrap().is_none());
        assert!(accounts.has_admin().await.unwrap());
    });
}

#[test]
fn the_directory_holds_secrets_opened_and_moves_with_edits() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let bob = bench.user(&scope, "bob", "101").await;
        let new = NewDevice {
            user: bob.id,
            name: "Desk".into(),
            username: "bob1".into(),
            algorithm: DigestAlgorithm::Md5,
        };
        let device = scope.devices().create(&actor(), new, "secret").await.unwrap();
        let trunk = NewTrunk {
            name: "Provider".into(),
            kind: TrunkKind::Registration,
            host: "sip.example".into(),
            port: 5060,
            transport: Transport::Udp,
            addresses: vec!["192.0.2.0/24".into()],
            username: Some("u".into()),
            password: Some("p".to_owned().into()),
            prefix: "+".into(),
            max_calls: 10,
        };
        let trunk = scope.trunks().create(&actor(), trunk).await.unwrap();
        let directory = bench.store.directory();
        let snapshot = directory.snapshot().await.unwrap();
        assert_eq!(snapshot.devices[0].device, device);
        // MD5("bob1:acme.example:secret")
        assert_eq!(snapshot.devices[0].ha1.as_str(), "648edb724e2156ebb7e7898556c40323");
        assert_eq!(snapshot.trunks[0].trunk, trunk);
        assert_eq!(snapshot.trunks[0].password.as_ref().unwrap().as_str(), "p");
        assert_eq!(directory.version().await.unwrap(), snapshot.version);
        let change = DeviceChange {
            name: "Desk 2".into(),
            active: false,
        };
        scope.devices().update(&actor(), device.id, &change).await.unwrap();
        assert!(directory.version().await.unwrap() > snapshot.version);
        // Another master key opens nothing and says so.
        let mut config = bench.config.clone();
        config.master_key = [8; 32];
        let wrong = Store::open(&config, Arc::clone(&bench.world) as Arc<dyn World>).await;
        assert!(matches!(wrong, Err(Error::Crypto(CryptoError::WrongMasterKey))));
    });
}

#[test]
fn settings_obey_locks_and_tokens_end() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let entry = |value: Option<&str>, lock| Entry {
            value: value.map(Into::into),
            lock,
        };
        let platform = bench.store.platform_settings();
        scope
            .settings()
            .set(&actor(), "enable_ivr", &entry(Some("true"), Lock::Unlocked))
            .await
            .unwrap();
        platform
            .set(&actor(), "enable_ivr", &entry(Some("false"), Lock::Hard))
            .await
            .unwrap();
        let refused = scope
            .settings()
            .set(&actor(), "enable_ivr", &entry(Some("true"), Lock::Unlocked))
            .await;
        assert!(matches!(refused, Err(Error::Setting(_))));
        assert!(!scope.settings().resolve().await.unwrap().switch("enable_ivr"));
        platform
            .set(&actor(), "enable_ivr", &entry(None, Lock::Unlocked))
            .await
            .unwrap();
        assert!(scope.settings().resolve().await.unwrap().switch("enable_ivr"));
        let token = NewToken {
            name: "crm".into(),
            role: Role::Manager,
            expires_at: Some(bench.world.now() + Duration::hours(1)),
            secret_hash: "s".into(),
        };
        let token = scope.tokens().create(&actor(), token).await.unwrap();
        let known = bench.store.accounts().token("s").await.unwrap().unwrap();
        assert_eq!((known.token.id, known.tenant_name.as_str()), (token.id, "acme"));
        bench.world.advance(3_600_001);
        assert!(bench.store.accounts().token("s").await.unwrap().is_none());
    });
}

#[test]
fn the_audit_chain_is_whole_and_a_removed_tenant_leaves_nothing() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        for n in 0..5 {
            bench.user(&scope, &format!("u{n}"), &format!("10{n}")).await;
        }
        assert_eq!(scope.audit().verify().await.unwrap(), Verdict::Whole { lines: 5 });
        let filter = AuditFilter {
            action: Some("user.".into()),
            ..Default::default()
        };
        let page = scope.audit().list(&filter, &Page::first(3)).await.unwrap();
        let rest = Page {
            after: page.next,
            limit: 3,
        };
        assert_eq!(scope.audit().list(&filter, &rest).await.unwrap().items.len(), 2);
        let mut tx = bench.store.write_all().await.unwrap();
        let forge = "update audit set actor = 'somebody else' where position = 3 and tenant_id is not null";
        tx.run(forge, vec![]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(scope.audit().verify().await.unwrap(), Verdict::BrokenAt(3));
        // The last line is no easier to change than others, and a log without its head is not an empty one.
        let mut tx = bench.store.write_all().await.unwrap();
        for (position, statement) in [
            (5, "update audit_heads set hash = 'another' where chain <> 'platform'"),
            (1, "delete from audit_heads where chain <> 'platform'"),
        ] {
            tx.run(
                "update audit set actor = 'tester@example.org' where position = 3 and tenant_id is not null",
                vec![],
            )
            .await
            .unwrap();
            tx.run(statement, vec![]).await.unwrap();
            let verdict = crate::audit::verify(&mut tx, Some(scope.tenant())).await.unwrap();
            assert_eq!(verdict, Verdict::BrokenAt(position));
        }
        drop(tx);
        let blob = scope.blobs().put(b"audio").await.unwrap();
        assert!(bench.store.tenants().remove(&actor(), scope.tenant()).await.unwrap());
        assert!(scope.blobs().get(&blob).await.is_err());
        assert!(scope.users().list(&Page::default()).await.unwrap().items.is_empty());
        let left = bench.folder.path().join("blobs").join(scope.tenant().to_string());
        assert!(!left.exists());
    });
}

#[test]
fn a_statement_that_forgot_its_tenant_still_sees_no_other_on_postgres() {
    on_each_engine(|bench| async move {
        let (ours, theirs) = (bench.tenant("ours").await, bench.tenant("theirs").await);
        bench.user(&ours, "bob", "101").await;
        bench.user(&theirs, "eve", "101").await;
        let forgetful = "select count(*) as n from users";
        let seen = ours.read().await.unwrap().count(forgetful, vec![]).await.unwrap();
        let all = bench
            .store
            .read_all()
            .await
            .unwrap()
            .count(forgetful, vec![])
            .await
            .unwrap();
        match bench.store.db().engine() {
            crate::sql::Engine::Sqlite => assert_eq!((seen, all), (2, 2)),
            crate::sql::Engine::Postgres => {
                assert_eq!((seen, all), (1, 2));
                let mut tx = ours.write().await.unwrap();
                let foreign = "update users set name = 'x' where email = 'eve@example.org'";
                assert_eq!(tx.run(foreign, vec![]).await.unwrap(), 0);
            }
        }
    });
}
