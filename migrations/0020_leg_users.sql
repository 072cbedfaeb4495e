-- Whose leg it was, and whether they used a browser: a user's history holds every call they were rung for.
alter table legs add column user_id text;
alter table legs add column browser bigint not null default 0;
create index legs_by_user on legs (tenant_id, user_id, started_at);
