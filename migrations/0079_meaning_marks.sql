-- Whose vectors tell what a transcript means; empty where it has none. Those that lack a model's are so found by an index,
-- without looking at the others.
alter table transcripts add column meant_by text not null default '';
update transcripts set meant_by = coalesce((select v.model from transcript_vectors v
    where v.transcript_id = transcripts.id and v.position = 0), '');
create index transcripts_by_meaning on transcripts (tenant_id, meant_by, id)
    where state = 'ready' and analysis is not null and text <> '';
