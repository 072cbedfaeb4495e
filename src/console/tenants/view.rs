//! What the pages of tenants show.

use crate::show::{
    Act, Block, Body, Cell, Column, Field, Form, Page, Problems, Row, Section, Shell, State, Table, Values,
};
use strowger_model::record::Tenant;

/// The tenants, to choose from and to add to.
#[must_use]
pub fn page(shell: &Shell, tenants: &[Tenant], typed: (&Values, &Problems)) -> Page {
    let columns = vec![
        Column::name("Tenant"),
        Column::text("Domain of its phones").class("full"),
        Column::text("State"),
        Column::text("Made").class("w"),
        Column::acts(),
    ];
    let rows = tenants.iter().map(|tenant| {
        let word = if tenant.active { "Switch off" } else { "Switch on" };
        let act = Act::new(
            format!("/tenants/{}/active", tenant.id),
            word,
            &tenant.name,
            &shell.csrf,
        )
        .with("active", (!tenant.active).to_string());
        Row::of(vec![
            Cell::link(format!("/t/{}/", tenant.id), tenant.name.clone()),
            Cell::text(tenant.realm.clone()),
            Cell::State(if tenant.active {
                State::ok("Active")
            } else {
                State::idle("Off")
            }),
            Cell::text(shell.clock.stamp(tenant.created_at)),
            Cell::Acts(vec![act]),
        ])
    });
    let table = Table::new("Tenants", columns, rows.collect());
    let list = Section::table(
        "te",
        "Choose one to look at",
        table,
        (
            "No tenant yet.",
            "A tenant owns users, phones, numbers, calls and recordings.",
        ),
    );
    let fields = vec![
        Field::line("name", "Name").required(),
        Field::line("realm", "Domain of its phones")
            .hint("Frozen: passwords of phones are bound to it. For example acme.pbx.example.")
            .required(),
    ];
    let form = Form::post("/tenants", "Add a tenant", &shell.csrf, fields, "Add tenant").filled(typed.0, typed.1);
    let add = Section::new("ad", "Add a tenant", vec![Body::Form(form)]);
    Page::new(shell, "Tenants", vec![Block::One(list), Block::One(add)])
}
