-- What calls were about, and how they seem to have ended by what was said: made anew from their transcripts.
create table call_topics (
    tenant_id text not null,
    call_id text not null,
    topic text not null,
    position bigint not null,
    started_at bigint not null,
    constraint call_topics_pk primary key (call_id, topic),
    constraint call_topics_call foreign key (call_id) references calls (id) on delete cascade
);
create index call_topics_by_time on call_topics (tenant_id, topic, started_at, call_id);

alter table calls add column suggested text not null default '';
create index calls_by_suggestion on calls (tenant_id, suggested, started_at, id);

-- Whether a person said how the call ended up: no suggestion takes the place of that.
alter table calls add column disposition_chosen bigint not null default 0;
update calls set disposition_chosen = 1
where disposition not in ('', 'answered', 'missed', 'voicemail', 'no_answer', 'busy', 'cancelled', 'failed');
