alter table room_roles enable row level security;
alter table room_roles force row level security;
create policy room_roles_tenant on room_roles
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table guest_links enable row level security;
alter table guest_links force row level security;
create policy guest_links_tenant on guest_links
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table room_invitations enable row level security;
alter table room_invitations force row level security;
create policy room_invitations_tenant on room_invitations
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));
