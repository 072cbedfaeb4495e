//! `OpenAI`'s interface and whatever speaks it (vLLM, llama.cpp's server, Ollama), and Azure `OpenAI`, which is
//! the same below other addresses.

use super::{Dialect, Garbage, Heard, Request, Sound, Tokens};
use serde::Deserialize;
use serde_json::json;
use strowger_model::speech::{Segment, Sentiment, Word};

/// Between the parts of a form; it occurs in no Ogg file by chance.
const BOUNDARY: &str = "strowger-9f2c1d5be07a4e6f";

/// Where a service lies and what its models are called.
#[derive(Debug, Clone)]
pub(super) enum OpenAi {
    /// By model.
    Models {
        chat: String,
        audio: String,
        embedding: String,
    },
    /// By deployment, with a version of the interface.
    Azure {
        chat: String,
        audio: String,
        embedding: String,
        api_version: String,
    },
}

impl OpenAi {
    fn request(&self, task: &str, deployment: &str, content_type: &str, body: Vec<u8>) -> Request {
        let (path, key_header) = match self {
            Self::Models { .. } => (format!("/{task}"), ("Authorization", "Bearer ")),
            Self::Azure { api_version, .. } => (
                format!("/openai/deployments/{deployment}/{task}?api-version={api_version}"),
                ("api-key", ""),
            ),
        };
        Request {
            path,
            key_header,
            content_type: content_type.to_owned(),
            body,
        }
    }

    fn json(&self, task: &str, model: &str, mut body: serde_json::Value) -> Request {
        if let (Self::Models { .. }, Some(fields)) = (self, body.as_object_mut()) {
            fields.insert("model".to_owned(), json!(model));
        }
        self.request(task, model, "application/json", body.to_string().into_bytes())
    }
}

#[derive(Deserialize)]
struct Chat {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Usage,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

#[derive(Default, Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: i64,
    #[serde(default)]
    completion_tokens: i64,
}

#[derive(Deserialize)]
struct Verbose {
    text: String,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    segments: Vec<VerboseSegment>,
    #[serde(default)]
    words: Vec<VerboseWord>,
}

#[derive(Deserialize)]
struct VerboseSegment {
    start: f64,
    end: f64,
    text: String,
    #[serde(default)]
    avg_logprob: Option<f64>,
}

#[derive(Deserialize)]
struct VerboseWord {
    word: String,
    start: f64,
    end: f64,
}

#[derive(Deserialize)]
struct Embeddings {
    data: Vec<Embedding>,
    #[serde(default)]
    usage: Usage,
}

#[derive(Deserialize)]
struct Embedding {
    #[serde(default)]
    index: usize,
    embedding: Vec<f32>,
}

fn ms(seconds: f64) -> i64 {
    (seconds.clamp(0.0, 1e6) * 1000.0).round() as i64
}

/// Services name a language by code or in English.
fn code_of(language: &str) -> Option<String> {
    let named = [
        ("english", "en"),
        ("german", "de"),
        ("french", "fr"),
        ("spanish", "es"),
        ("italian", "it"),
        ("portuguese", "pt"),
        ("dutch", "nl"),
        ("russian", "ru"),
        ("polish", "pl"),
    ];
    let small = language.to_lowercase();
    match named.iter().find(|(name, _)| *name == small) {
        Some((_, code)) => Some((*code).to_owned()),
        None => (small.len() == 2).then_some(small),
    }
}

impl Dialect for OpenAi {
    fn chat(&self, rules: &str, asked: &str) -> Request {
        let (Self::Models { chat, .. } | Self::Azure { chat, .. }) = self;
        let body = json!({
            "messages": [{"role": "system", "content": rules}, {"role": "user", "content": asked}],
            "temperature": 0,
            "response_format": {"type": "json_object"},
        });
        self.json("chat/completions", chat, body)
    }

    fn read_chat(&self, body: &[u8]) -> Result<(String, Tokens), Garbage> {
        let chat: Chat = serde_json::from_slice(body).map_err(|_| Garbage::Shape("no chat completion"))?;
        let first = chat
            .choices
            .into_iter()
            .next()
            .and_then(|choice| choice.message.content);
        let tokens = Tokens {
            asked: chat.usage.prompt_tokens,
            answered: chat.usage.completion_tokens,
        };
        Ok((first.ok_or(Garbage::Shape("no choice"))?, tokens))
    }

    fn audio(&self, sound: Sound<'_>) -> Request {
        let (Self::Models { audio, .. } | Self::Azure { audio, .. }) = self;
        let mut fields = vec![
            ("response_format", "verbose_json"),
            ("timestamp_granularities[]", "segment"),
            ("timestamp_granularities[]", "word"),
        ];
        if matches!(self, Self::Models { .. }) {
            fields.push(("model", audio.as_str()));
        }
        let mut body = Vec::with_capacity(sound.file.len() + 1024);
        for (name, value) in fields {
            let part = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend(part.into_bytes());
        }
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"audio.ogg\"\r\n\
             Content-Type: audio/ogg\r\n\r\n"
        );
        body.extend(head.into_bytes());
        body.extend_from_slice(sound.file);
        body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.request("audio/transcriptions", audio, &kind, body)
    }

    fn read_audio(&self, body: &[u8], sound: Sound<'_>) -> Result<Heard, Garbage> {
        let heard: Verbose = serde_json::from_slice(body).map_err(|_| Garbage::Shape("no transcription"))?;
        let words: Vec<Word> = heard
            .words
            .iter()
            .map(|word| Word {
                text: word.word.trim().to_owned(),
                start_ms: ms(word.start),
                end_ms: ms(word.end.max(word.start)),
                confidence: 1.0,
            })
            .collect();
        let mut spans: Vec<(i64, i64, String, f64)> = heard
            .segments
            .iter()
            .map(|one| {
                let sure = one.avg_logprob.map_or(1.0, |log| log.exp().clamp(0.0, 1.0));
                (
                    ms(one.start),
                    ms(one.end.max(one.start)),
                    one.text.trim().to_owned(),
                    sure,
                )
            })
            .collect();
        if spans.is_empty() && !heard.text.trim().is_empty() {
            spans.push((0, sound.duration_ms, heard.text.trim().to_owned(), 1.0));
        }
        let last = spans.len().saturating_sub(1);
        let mut rest = words.into_iter().peekable();
        let mut segments = Vec::with_capacity(spans.len());
        for (n, (start_ms, end_ms, text, confidence)) in spans.into_iter().enumerate() {
            let mut own = Vec::new();
            while let Some(word) = rest.next_if(|word| n == last || word.start_ms < end_ms) {
                own.push(Word { confidence, ..word });
            }
            segments.push(Segment {
                channel: 0,
                speaker: String::new(),
                start_ms,
                end_ms,
                text,
                confidence,
                sentiment: Sentiment::Neutral,
                words: own,
            });
        }
        Ok(Heard {
            language: heard.language.as_deref().and_then(code_of),
            segments,
            tokens: Tokens::default(),
        })
    }

    fn embedding(&self, texts: &[String]) -> Request {
        let (Self::Models { embedding, .. } | Self::Azure { embedding, .. }) = self;
        self.json("embeddings", embedding, json!({"input": texts}))
    }

    fn read_embedding(&self, body: &[u8], count: usize) -> Result<(Vec<Vec<f32>>, Tokens), Garbage> {
        let mut all: Embeddings = serde_json::from_slice(body).map_err(|_| Garbage::Shape("no embeddings"))?;
        // Stable: a server that gives no index gives them in order.
        all.data.sort_by_key(|one| one.index);
        let vectors: Vec<Vec<f32>> = all.data.into_iter().map(|one| one.embedding).collect();
        let tokens = Tokens {
            asked: all.usage.prompt_tokens,
            answered: 0,
        };
        super::whole(vectors, count).map(|vectors| (vectors, tokens))
    }
}
