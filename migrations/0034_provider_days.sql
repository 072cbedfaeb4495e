-- What was asked of providers outside of this machine's own rules and Whisper, a row a day, and what a
-- transcript cost.
create table provider_days (
    tenant_id text not null,
    provider text not null,
    task text not null,
    day text not null,
    asked bigint not null,
    failed bigint not null,
    tokens_asked bigint not null,
    tokens_answered bigint not null,
    cost_micros bigint not null,
    spent_ms bigint not null,
    last_answered_at bigint,
    last_failed_at bigint,
    last_problem text,
    constraint provider_days_pk primary key (tenant_id, provider, task, day),
    constraint provider_days_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);

alter table transcripts add column cost_micros bigint not null default 0;
