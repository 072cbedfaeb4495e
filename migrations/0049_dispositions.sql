-- How a call ended up, in a word: set by itself when it ends, and by people after that.
alter table calls add column disposition text not null default '';

update calls set disposition = case
    when exists (select 1 from voicemails v where v.call_id = calls.id) then 'voicemail'
    when state = 'completed' then 'answered'
    else state end
where ended_at is not null;

create index calls_by_disposition on calls (tenant_id, disposition, started_at, id);
