alter table room_keys enable row level security;
alter table room_keys force row level security;
create policy room_keys_tenant on room_keys
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table sip_trunks enable row level security;
alter table sip_trunks force row level security;
create policy sip_trunks_tenant on sip_trunks
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table dispatch_rules enable row level security;
alter table dispatch_rules force row level security;
create policy dispatch_rules_tenant on dispatch_rules
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));

alter table room_webhooks enable row level security;
alter table room_webhooks force row level security;
create policy room_webhooks_tenant on room_webhooks
    using (current_setting('strowger.tenant', true) in ('*', tenant_id))
    with check (current_setting('strowger.tenant', true) in ('*', tenant_id));
