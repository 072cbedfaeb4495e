-- What addresses are told of rooms: one row an event and address, told in the order of their numbers. A row that
-- was taken or given up keeps its event's name and how it went; its body is blanked.
create table webhook_posts (
    webhook_id text not null,
    number bigint not null,
    tenant_id text not null,
    event text not null,
    body text not null,
    state text not null,
    tries bigint not null,
    problem text,
    due_at bigint not null,
    told_at bigint,
    created_at bigint not null,
    constraint webhook_posts_pk primary key (webhook_id, number),
    constraint webhook_posts_webhook foreign key (webhook_id) references room_webhooks (id) on delete cascade,
    constraint webhook_posts_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);
create index webhook_posts_waiting on webhook_posts (state, webhook_id, number);

-- The beginning of a scheduled meeting that its hosts were told of.
alter table rooms add column told_of bigint;
