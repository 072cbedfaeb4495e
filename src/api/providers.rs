//! `/api/providers`: who understands and hears for the tenant, and how they do. The order and the consent
//! are settings: `ai_understanding_order`, `ai_transcription_order`, `ai_may_leave_site`, `ai_budget_seconds`.

use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::Refusals;
use crate::state::ApiState;
use crate::wire::stamp;
use axum::Json;
use serde::Serialize;
use strowger_model::role::Permission;
use strowger_store::{ProviderFigures, ProviderState, first_of_the_month};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The providers and what counts for this tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProvidersJson {
    /// Who is asked to sum up, in order; after them this machine.
    understanding_order: Vec<String>,
    /// Who is asked to transcribe, in order; after them this machine.
    transcription_order: Vec<String>,
    /// Who tells what texts mean: the first who can.
    embedding_order: Vec<String>,
    /// Whether transcripts and audio may leave the site.
    may_leave_site: bool,
    /// Seconds for all of them together.
    budget_seconds: i64,
    /// Those an administrator named for the workers.
    providers: Vec<ProviderJson>,
}

/// A provider.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderJson {
    /// What orders call it.
    name: String,
    /// `azure`, `openai` or `gemini`.
    kind: String,
    /// Where it lies.
    host: String,
    /// Whether nothing leaves the house by it.
    on_premises: bool,
    /// Whether it sums up.
    understands: bool,
    /// Whether it transcribes.
    transcribes: bool,
    /// Whether it tells what texts mean, for the search by meaning.
    embeds: bool,
    /// Whether the last request to it failed.
    failing: bool,
    /// Its circuit breaker: `closed`, `open` (it rests after failures) or `half_open` (the next request tries it).
    circuit: &'static str,
    /// Until when it rests.
    rests_until: Option<String>,
    /// What it was asked today, by task.
    today: Vec<FiguresJson>,
    /// What it was asked this month, by task.
    this_month: Vec<FiguresJson>,
}

/// What a provider was asked for one task.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FiguresJson {
    /// `understanding`, `transcription` or `embedding`.
    task: String,
    /// Requests.
    asked: i64,
    /// Those that failed.
    failed: i64,
    /// Tokens asked with.
    tokens_asked: i64,
    /// Tokens answered with.
    tokens_answered: i64,
    /// In the currency of the house.
    cost: f64,
    /// How long all took, milliseconds.
    spent_ms: i64,
    /// When one last failed.
    last_failed_at: Option<String>,
    /// Why.
    last_problem: Option<String>,
}

impl From<ProviderFigures> for FiguresJson {
    #[expect(
        clippy::cast_precision_loss,
        reason = "nobody spends nine quadrillion millionths a day"
    )]
    fn from(one: ProviderFigures) -> Self {
        Self {
            task: one.task,
            asked: one.asked,
            failed: one.failed,
            tokens_asked: one.tokens_asked,
            tokens_answered: one.tokens_answered,
            cost: one.cost_micros as f64 / 1e6,
            spent_ms: one.spent_ms,
            last_failed_at: one.last_failed_at.map(stamp),
            last_problem: one.last_problem,
        }
    }
}

/// Lists who understands and hears for this tenant, how they do, and what they took today and this month.
#[utoipa::path(
    get, path = "/api/providers", tag = "settings",
    responses((status = 200, description = "The providers", body = ProvidersJson), Refusals)
)]
pub(crate) async fn list(caller: Caller) -> Result<Json<ProvidersJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let settings = scope.settings().resolve().await?;
    let order = |name: &str| -> Vec<String> {
        let text = settings.text(name);
        let names = text.split([',', ' ']).filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    };
    let days = scope.provider_days();
    let figures = days.since(&scope.now().date().to_string()).await?;
    let month = days.since(&first_of_the_month(scope.now())).await?;
    let known = days.health().await?;
    let providers = known.into_iter().map(|health| {
        let provider = health.provider;
        let own = |all: &[ProviderFigures]| -> Vec<ProviderFigures> {
            let own = all.iter().filter(|one| one.provider == provider.name);
            own.cloned().collect()
        };
        let (today, month) = (own(&figures), own(&month));
        ProviderJson {
            failing: today.iter().any(ProviderFigures::is_failing),
            circuit: health.state.circuit(),
            rests_until: match health.state {
                ProviderState::Resting(until) => Some(stamp(until)),
                ProviderState::Unused | ProviderState::Works | ProviderState::Failing | ProviderState::Trying => None,
            },
            today: today.into_iter().map(FiguresJson::from).collect(),
            this_month: month.into_iter().map(FiguresJson::from).collect(),
            name: provider.name,
            kind: provider.kind,
            host: provider.host,
            on_premises: provider.on_premises,
            understands: provider.chats,
            transcribes: provider.hears,
            embeds: provider.embeds,
        }
    });
    Ok(Json(ProvidersJson {
        understanding_order: order("ai_understanding_order"),
        transcription_order: order("ai_transcription_order"),
        embedding_order: order("ai_embedding_order"),
        may_leave_site: settings.switch("ai_may_leave_site"),
        budget_seconds: settings.number("ai_budget_seconds"),
        providers: providers.collect(),
    }))
}
