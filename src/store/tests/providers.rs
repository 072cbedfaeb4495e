//! What providers were asked, a row a day.

use super::harness::on_each_engine;
use crate::{KnownProvider, ProviderTry};

fn one(problem: Option<&str>, cost_micros: i64) -> ProviderTry {
    ProviderTry {
        provider: "azure".into(),
        task: "understanding",
        problem: problem.map(str::to_owned),
        tokens_asked: 100,
        tokens_answered: 10,
        cost_micros,
        spent_ms: 300,
    }
}

#[test]
fn requests_are_counted_by_day_and_tenant() {
    on_each_engine(|bench| async move {
        let (acme, zenith) = (bench.tenant("acme").await, bench.tenant("zenith").await);
        acme.provider_days().count(&[one(None, 5)]).await.unwrap();
        bench.world.advance(1000);
        acme.provider_days()
            .count(&[one(Some("answered 429"), 0)])
            .await
            .unwrap();
        let figures = acme.provider_days().since("2000-01-01").await.unwrap();
        assert_eq!(figures.len(), 1);
        assert!(figures[0].is_failing());
        assert_eq!(figures[0].last_problem.as_deref(), Some("answered 429"));
        bench.world.advance(86_400_000);
        acme.provider_days().count(&[one(None, 7)]).await.unwrap();
        let figures = acme.provider_days().since("2000-01-01").await.unwrap();
        assert_eq!(
            (figures[0].asked, figures[0].failed, figures[0].cost_micros),
            (3, 1, 12)
        );
        assert_eq!((figures[0].tokens_asked, figures[0].spent_ms), (300, 900));
        assert!(!figures[0].is_failing());
        let today = bench.store.now().date().to_string();
        assert_eq!(acme.provider_days().since(&today).await.unwrap()[0].asked, 1);
        assert!(zenith.provider_days().since("2000-01-01").await.unwrap().is_empty());
    });
}

#[test]
fn the_known_providers_are_those_last_published() {
    on_each_engine(|bench| async move {
        let known = |name: &str| KnownProvider {
            name: name.into(),
            kind: "azure".into(),
            host: "a.example".into(),
            on_premises: false,
            chats: true,
            hears: false,
        };
        assert!(bench.store.known_providers().list().await.unwrap().is_empty());
        bench
            .store
            .known_providers()
            .publish(&[known("one"), known("two")])
            .await
            .unwrap();
        bench.store.known_providers().publish(&[known("two")]).await.unwrap();
        let scope = bench.tenant("acme").await;
        assert_eq!(scope.provider_days().known().await.unwrap(), [known("two")]);
    });
}
