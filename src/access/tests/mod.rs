//! Signing in, staying signed in and what forms must prove, over a router like the console's.

mod room_tokens;

use crate::{
    Access, AccessConfig, FirstAdmin, FirstRunRefused, Opened, Posted, PostedUpload, Refusal, SignIn, SignInRefused,
    Signed, Source,
};
use axum::body::Body;
use axum::extract::FromRef;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, http::HeaderMap};
use std::sync::Arc;
use strowger_model::Role;
use strowger_model::role::Permission;
use strowger_model::world::SeededWorld;
use strowger_store::{Actor, NewTenant, NewUser, Store, StoreConfig};
use tempfile::TempDir;
use tower::ServiceExt;

const PASSWORD: &str = "a long enough password";

#[derive(Clone)]
struct App(Access);

impl FromRef<App> for Access {
    fn from_ref(app: &App) -> Self {
        app.0.clone()
    }
}

#[derive(serde::Deserialize)]
struct Login {
    email: String,
    password: String,
}

#[derive(serde::Deserialize)]
struct Note {
    text: String,
}

async fn login(axum::extract::State(app): axum::extract::State<App>, opened: Opened<Login>) -> Response {
    let try_ = SignIn {
        email: &opened.form.email,
        password: &opened.form.password,
        source: opened.source,
        user_agent: &opened.user_agent,
    };
    match app.0.sign_in(try_).await {
        Ok(signed_in) => ([(header::SET_COOKIE, signed_in.set_cookie)], "welcome").into_response(),
        Err(SignInRefused::Wrong) => StatusCode::UNAUTHORIZED.into_response(),
        Err(SignInRefused::TooMany { .. }) => StatusCode::TOO_MANY_REQUESTS.into_response(),
        Err(SignInRefused::Failed(problem)) => panic!("{problem}"),
    }
}

async fn page(who: Signed) -> Result<String, Refusal> {
    who.require(Permission::UsePhone)?;
    Ok(who.csrf())
}

async fn flows(who: Signed) -> Result<String, Refusal> {
    let scope = who.scope(Permission::ManageFlows)?;
    Ok(scope.tenant().to_string())
}

async fn note(posted: Posted<Note>) -> String {
    format!("{} wrote {}", posted.who.principal().actor(), posted.form.text)
}

async fn upload(posted: PostedUpload) -> String {
    let file = posted
        .file
        .as_ref()
        .map(|file| format!("{} {}", file.name, file.bytes.len()));
    format!("{} {}", posted.field("name"), file.unwrap_or_default())
}

async fn leave(posted: Posted<Note>) -> Result<&'static str, Refusal> {
    posted.who.sign_out().await?;
    Ok("bye")
}

struct House {
    access: Access,
    store: Store,
    world: Arc<SeededWorld>,
    router: Router,
    _folder: TempDir,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = Arc::new(SeededWorld::new(11, 1_760_000_000_000));
        let config = StoreConfig {
            url: format!("sqlite://{}", folder.path().join("strowger.db").display()),
            data_dir: folder.path().to_owned(),
            master_key: [1; 32],
        };
        let store = Store::open(&config, world.clone()).await.unwrap();
        let access = Access::new(store.clone(), world.clone(), AccessConfig::default());
        let router = Router::new()
            .route("/login", post(login))
            .route("/page", get(page))
            .route("/flows", get(flows))
            .route("/note", post(note))
            .route("/upload", post(upload))
            .route("/leave", post(leave))
            .with_state(App(access.clone()));
        Self {
            access,
            store,
            world,
            router,
            _folder: folder,
        }
    }

    /// A person of a fresh tenant.
    async fn person(&self, email: &str, role: Role) {
        let actor = Actor::system();
        let new = NewTenant {
            name: email.to_owned(),
            realm: email.to_owned(),
        };
        let tenant = self.store.tenants().create(&actor, new).await.unwrap();
        let new = NewUser {
            email: email.to_owned(),
            name: "Ada".into(),
            role,
            extension: None,
            password_hash: Some(self.access.hash_password(PASSWORD).await.unwrap()),
        };
        self.store.tenant(tenant.id).users().create(&actor, new).await.unwrap();
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    async fn login(&self, email: &str, password: &str) -> Answer {
        let form = format!(
            "email={}&password={}",
            email.replace('@', "%40"),
            password.replace(' ', "+")
        );
        let request = Request::post("/login")
            .header("host", "pbx")
            .header("origin", "http://pbx");
        self.send(request.body(Body::from(form)).unwrap()).await
    }

    async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send(
            Request::get(path)
                .header(header::COOKIE, cookie)
                .body(Body::empty())
                .unwrap(),
        )
        .await
    }

    async fn post(&self, path: &str, cookie: &str, form: String) -> Answer {
        let request = Request::post(path)
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form)).unwrap()).await
    }

    /// The cookie of somebody who signed in.
    async fn cookie(&self, email: &str) -> String {
        let answer = self.login(email, PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
            "{cookie}"
        );
        cookie.split(';').next().unwrap().to_owned()
    }
}

fn source() -> Source {
    Source {
        address: "192.0.2.7".parse().unwrap(),
        https: false,
    }
}

#[tokio::test]
async fn a_visitor_is_sent_to_the_sign_in_and_comes_back() {
    let house = House::new().await;
    let answer = house.get("/page?x=1", "").await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.headers[header::LOCATION], "/login?next=/page%3Fx%3D1");
    let forged = format!("strowger_session={}", "0".repeat(64));
    assert_eq!(house.get("/page", &forged).await.status, 303);
    house.person("ada@acme", Role::User).await;
    let cookie = house.cookie("ADA@acme").await;
    assert_eq!(house.get("/page", &cookie).await.status, 200);
}

#[tokio::test]
async fn a_script_is_told_to_move_the_whole_page() {
    let house = House::new().await;
    let request = Request::get("/page")
        .header("hx-request", "true")
        .header("referer", "http://pbx/calls?a=1");
    let answer = house.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.headers["hx-redirect"], "/login?next=/calls%3Fa%3D1");
}

#[tokio::test]
async fn strangers_and_wrong_passwords_get_the_same_answer_and_are_locked_out() {
    let house = House::new().await;
    house.person("ada@acme", Role::User).await;
    for email in ["ada@acme", "nobody@acme"] {
        let mut statuses = Vec::new();
        for _ in 0..8 {
            statuses.push(house.login(email, "wrong password").await.status.as_u16());
        }
        assert_eq!(statuses, [401, 401, 401, 401, 401, 401, 429, 429], "{email}");
    }
    assert_eq!(
        house.login("ada@acme", PASSWORD).await.status,
        429,
        "the lock holds against the right one too"
    );
}

#[tokio::test]
async fn one_source_cannot_try_many_accounts() {
    let house = House::new().await;
    let mut refused = 0;
    for n in 0..40 {
        let email = format!("user{n}@acme");
        let try_ = SignIn {
            email: &email,
            password: "wrong password",
            source: source(),
            user_agent: "",
        };
        refused += usize::from(matches!(
            house.access.sign_in(try_).await,
            Err(SignInRefused::TooMany { .. })
        ));
    }
    assert!((10..=20).contains(&refused), "{refused}");
}

#[tokio::test]
async fn a_form_needs_the_token_of_its_own_session() {
    let house = House::new().await;
    house.person("ada@acme", Role::User).await;
    house.person("bob@zenith", Role::User).await;
    let (ada, bob) = (house.cookie("ada@acme").await, house.cookie("bob@zenith").await);
    let token = house.get("/page", &ada).await.text;
    let others = house.get("/page", &bob).await.text;
    assert_eq!(house.post("/note", &ada, "text=hi".into()).await.status, 403);
    assert_eq!(
        house.post("/note", &ada, format!("text=hi&csrf={others}")).await.status,
        403
    );
    let answer = house.post("/note", &ada, format!("text=hi&csrf={token}")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.text.as_str()),
        (200, "ada@acme wrote hi")
    );
    assert_eq!(house.post("/note", &ada, format!("csrf={token}")).await.status, 422);
    let cross = Request::post("/note")
        .header(header::COOKIE, &ada)
        .header("sec-fetch-site", "cross-site")
        .body(Body::from(format!("text=hi&csrf={token}")));
    assert_eq!(house.send(cross.unwrap()).await.status, 403);
    let foreign = Request::post("/login")
        .header("host", "pbx")
        .header("origin", "http://evil");
    let foreign = foreign.body(Body::from("email=a&password=b")).unwrap();
    assert_eq!(house.send(foreign).await.status, 403);
}

#[tokio::test]
async fn a_file_is_read_only_after_the_token() {
    let house = House::new().await;
    house.person("ada@acme", Role::User).await;
    let cookie = house.cookie("ada@acme").await;
    let token = house.get("/page", &cookie).await.text;
    let part = |name: &str, more: &str, text: &str| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{text}\r\n")
    };
    let (csrf, name) = (part("csrf", "", &token), part("name", "", "Welcome"));
    let file = part("file", "; filename=\"a.wav\"", "RIFF");
    let send = async |body: String| {
        let request = Request::post("/upload")
            .header(header::COOKIE, &cookie)
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=x");
        house
            .send(request.body(Body::from(format!("{body}--x--\r\n"))).unwrap())
            .await
    };
    let answer = send(format!("{csrf}{name}{file}")).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "Welcome a.wav 4"));
    assert_eq!(send(format!("{file}{csrf}")).await.status, 403);
    assert_eq!(send(name).await.status, 403);
}

#[tokio::test]
async fn a_session_ends_by_signing_out_by_idleness_and_by_a_new_password() {
    let house = House::new().await;
    house.person("ada@acme", Role::User).await;
    let cookie = house.cookie("ada@acme").await;
    let token = house.get("/page", &cookie).await.text;
    assert_eq!(
        house
            .post("/leave", &cookie, format!("text=&csrf={token}"))
            .await
            .status,
        200
    );
    assert_eq!(house.get("/page", &cookie).await.status, 303);

    let cookie = house.cookie("ada@acme").await;
    house.world.advance(11 * 3_600_000);
    assert_eq!(
        house.get("/page", &cookie).await.status,
        200,
        "used within twelve hours"
    );
    house.world.advance(13 * 3_600_000);
    assert_eq!(house.get("/page", &cookie).await.status, 303);
    assert_eq!(house.get("/page", &cookie).await.status, 303, "and it stays over");

    let cookie = house.cookie("ada@acme").await;
    let user = house
        .store
        .accounts()
        .by_email("ada@acme")
        .await
        .unwrap()
        .unwrap()
        .user
        .id;
    assert_eq!(house.access.sessions_of(user).await.unwrap().len(), 1);
    assert!(house.access.is_password_of(user, PASSWORD).await.unwrap());
    let changed = house
        .access
        .set_password(&Actor::named("ada@acme"), user, "another long one")
        .await;
    assert!(changed.unwrap());
    assert_eq!(house.get("/page", &cookie).await.status, 303);
    assert!(
        house
            .access
            .set_password(&Actor::system(), user, "short")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_role_decides_what_a_page_gives() {
    let house = House::new().await;
    house.person("ada@acme", Role::User).await;
    house.person("max@acme", Role::Manager).await;
    let (ada, max) = (house.cookie("ada@acme").await, house.cookie("max@acme").await);
    assert_eq!(house.get("/flows", &ada).await.status, 403);
    assert_eq!(house.get("/flows", &max).await.status, 200);
}

#[tokio::test]
async fn the_first_administrator_needs_the_code_once() {
    let house = House::new().await;
    let code = house.access.first_run_code().await.unwrap().unwrap();
    assert!(house.access.awaits_first_admin().await.unwrap());
    let form = |code| FirstAdmin {
        code,
        name: "Root",
        email: "root@machine",
        password: PASSWORD,
    };
    let wrong = house
        .access
        .create_first_admin(form("aaaa-bbbb-cccc-dddd"), source())
        .await;
    assert!(matches!(wrong, Err(FirstRunRefused::WrongCode)));
    let typed = code.to_uppercase().replace('-', " ");
    let admin = house.access.create_first_admin(form(&typed), source()).await.unwrap();
    assert_eq!(admin.role, Role::PlatformAdmin);
    let again = house.access.create_first_admin(form(&code), source()).await;
    assert!(matches!(again, Err(FirstRunRefused::Done)));
    assert!(house.access.first_run_code().await.unwrap().is_none());

    let cookie = house.cookie("root@machine").await;
    let answer = house.get("/flows", &cookie).await;
    assert_eq!(
        answer.headers[header::LOCATION],
        "/tenants",
        "an administrator chooses a tenant first"
    );
    house.person("ada@acme", Role::User).await;
    let tenant = house
        .store
        .accounts()
        .by_email("ada@acme")
        .await
        .unwrap()
        .unwrap()
        .user
        .tenant
        .unwrap();
    let with = format!("{cookie}; strowger_tenant={tenant}");
    assert_eq!(house.get("/flows", &with).await.text, tenant.to_string());
    let ada = house.cookie("ada@acme").await;
    assert_eq!(
        house
            .get("/flows", &format!("{ada}; strowger_tenant={tenant}"))
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn who_signed_in_out_or_tried_to_stands_in_the_audit_log() {
    let house = House::new().await;
    house.person("ada@acme", Role::User).await;
    assert_eq!(house.login("ada@acme", "wrong").await.status, 401);
    assert_eq!(house.login("hunter2@nowhere", "wrong").await.status, 401);
    let cookie = house.cookie("ada@acme").await;
    let token = house.get("/page", &cookie).await.text;
    let gone = house.post("/leave", &cookie, format!("text=&csrf={token}")).await;
    assert_eq!(gone.status, 200);

    let filter = strowger_store::AuditFilter {
        action: Some("session.".to_owned()),
        ..Default::default()
    };
    let page = strowger_store::Page::first(9);
    let told = |items: Vec<strowger_model::record::AuditEntry>| -> Vec<String> {
        let lines = items.into_iter().rev();
        lines
            .map(|line| format!("{} {} {}", line.actor, line.action, line.detail))
            .collect()
    };
    let ada = house.store.accounts().by_email("ada@acme").await.unwrap().unwrap();
    let scope = house.store.tenant(ada.user.tenant.unwrap());
    let lines = told(scope.audit().list(&filter, &page).await.unwrap().items);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("ada@acme session.refuse from "), "{lines:?}");
    assert!(lines[1].starts_with("ada@acme session.open from "), "{lines:?}");
    assert!(lines[2].starts_with("ada@acme session.close"), "{lines:?}");
    let lines = told(house.store.list_audit(&filter, &page).await.unwrap().items);
    assert!(
        lines.len() == 1 && lines[0].starts_with("nobody session.refuse from "),
        "{lines:?}"
    );
}
