-- What a transcript was asked of: the call, the message or the recording. What was brought from outside is a recording.
alter table transcripts add column source_id text not null default '';
update transcripts set source = 'recording' where source = 'call'
    and exists (select 1 from recordings r where r.id = transcripts.recording_id and r.recorded_by = 'import');
update transcripts set source_id = case source
    when 'recording' then recording_id
    when 'voicemail' then coalesce((select min(v.id) from voicemails v where v.recording_id = transcripts.recording_id), recording_id)
    else call_id end;
