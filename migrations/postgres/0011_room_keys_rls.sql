alter table room_keys enable row level security;
alter table room_keys force row level security;
create policy room_keys_tenant on room_keys
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));
