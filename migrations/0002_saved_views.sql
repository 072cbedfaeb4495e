-- Filters of the list of calls that a person keeps under a name.
create table saved_views (
    id text not null,
    tenant_id text not null,
    user_id text not null,
    name text not null,
    query text not null,
    created_at bigint not null,
    constraint saved_views_pk primary key (id),
    constraint saved_views_name_taken unique (user_id, name),
    constraint saved_views_user foreign key (user_id) references users (id) on delete cascade
);
create index saved_views_by_user on saved_views (tenant_id, user_id, name);
