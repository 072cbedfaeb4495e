-- What people say about a room, who runs it, and the links with which guests come in. A row's id is
-- what the outside knows a room by: no two tenants can share one, however they name their rooms.
alter table rooms add column title text not null default '';
alter table rooms add column description text not null default '';
alter table rooms add column waiting_room bigint not null default 0;
alter table rooms add column locked bigint not null default 0;
alter table rooms add column max_participants bigint not null default 0;
alter table rooms add column recording text not null default 'on_request';
alter table rooms add column starts_at bigint;
alter table rooms add column ends_at bigint;
alter table rooms add column zone text not null default '';
alter table rooms add column pin text;
alter table rooms add column created_by text not null default '';
create unique index rooms_pin_taken on rooms (tenant_id, pin);

create table room_roles (
    tenant_id text not null,
    room_id text not null,
    user_id text not null,
    role text not null,
    constraint room_roles_pk primary key (room_id, user_id),
    constraint room_roles_room foreign key (room_id) references rooms (id) on delete cascade,
    constraint room_roles_user foreign key (user_id) references users (id) on delete cascade
);
create index room_roles_by_user on room_roles (tenant_id, user_id);

-- Of a link's secret only its SHA-256 is kept.
create table guest_links (
    id text not null,
    tenant_id text not null,
    room_id text not null,
    label text not null,
    secret_hash text not null,
    once bigint not null,
    expires_at bigint,
    used_at bigint,
    revoked_at bigint,
    created_at bigint not null,
    constraint guest_links_pk primary key (id),
    constraint guest_links_secret_hash_taken unique (secret_hash),
    constraint guest_links_room foreign key (room_id) references rooms (id) on delete cascade
);
create index guest_links_by_room on guest_links (tenant_id, room_id, id);

create table room_invitations (
    tenant_id text not null,
    room_id text not null,
    email text not null,
    name text not null,
    user_id text,
    created_at bigint not null,
    constraint room_invitations_pk primary key (room_id, email),
    constraint room_invitations_room foreign key (room_id) references rooms (id) on delete cascade,
    constraint room_invitations_user foreign key (user_id) references users (id) on delete cascade
);
create index room_invitations_by_user on room_invitations (tenant_id, user_id);
