//! `/api/voicemail`: messages and greetings.

mod greetings;
mod messages;

use crate::state::ApiState;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(messages::list))
        .routes(routes!(messages::get, messages::remove))
        .routes(routes!(messages::read))
        .routes(routes!(messages::restore))
        .routes(routes!(greetings::list, greetings::create))
        .routes(routes!(greetings::set_default))
        .routes(routes!(greetings::remove))
}
