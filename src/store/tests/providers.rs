//! What providers were asked, a row a day.

use super::harness::on_each_engine;
use crate::{KnownProvider, ProviderBreaker, ProviderState, ProviderTry};

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
            embeds: false,
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

#[test]
fn health_is_the_last_answer_and_the_worst_breaker() {
    on_each_engine(|bench| async move {
        let (acme, zenith) = (bench.tenant("acme").await, bench.tenant("zenith").await);
        let known = KnownProvider {
            name: "azure".into(),
            kind: "azure".into(),
            host: "a.example".into(),
            on_premises: false,
            chats: true,
            hears: false,
            embeds: false,
        };
        let providers = bench.store.known_providers();
        assert!(providers.health().await.unwrap().is_empty());
        providers.publish(&[known]).await.unwrap();
        let state = async || providers.health().await.unwrap()[0].state;
        assert_eq!(state().await, ProviderState::Unused);
        acme.provider_days().count(&[one(None, 5)]).await.unwrap();
        assert_eq!(state().await, ProviderState::Works);
        bench.world.advance(1000);
        zenith
            .provider_days()
            .count(&[one(Some("answered 429"), 0)])
            .await
            .unwrap();
        let health = providers.health().await.unwrap();
        assert_eq!(health[0].state, ProviderState::Failing);
        assert_eq!(health[0].last_problem.as_deref(), Some("answered 429"));

        let now_ms = crate::sql::millis(bench.store.now());
        let rests = |until_ms: Option<i64>| ProviderBreaker {
            provider: "azure".into(),
            failures: 3,
            rests_until_ms: until_ms,
            told_at_ms: now_ms,
        };
        providers
            .tell_breakers("one", &[rests(Some(now_ms + 60_000))])
            .await
            .unwrap();
        providers.tell_breakers("two", &[rests(None)]).await.unwrap();
        let resting = state().await;
        assert!(matches!(resting, ProviderState::Resting(_)) && resting.circuit() == "open");
        bench.world.advance(60_000);
        assert_eq!(state().await.circuit(), "half_open");
        providers.tell_breakers("one", &[]).await.unwrap();
        acme.provider_days().count(&[one(None, 7)]).await.unwrap();
        assert_eq!(state().await, ProviderState::Works);

        let spend = providers.spend_of_the_month().await.unwrap();
        let spent: Vec<(&str, i64, i64)> = spend
            .iter()
            .map(|one| (one.tenant_name.as_str(), one.figures.asked, one.figures.cost_micros))
            .collect();
        assert_eq!(spent, [("acme", 2, 12), ("zenith", 1, 0)]);
    });
}
