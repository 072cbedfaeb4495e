//! Running the model over the pieces of one channel after the other.

use super::echo::echoes;
use super::models::{Model, ModelStore, Size};
use super::pieces::{Piece, pack};
use super::speech::spans;
use super::vad::Vad;
use super::words::{Token, is_repeating, turns, without_repeats, words};
use super::{Course, Error, abort, cpu};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use strowger_model::speech::{Segment, Sentiment, Word};
use whisper_rs::{
    DtwMode, DtwModelPreset, DtwParameters, FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters,
    WhisperState,
};

/// Whisper is taught on nothing shorter: 1.025 s at 16 kHz.
const SHORTEST: usize = 16_400;
/// Encoder frames in a second.
const FRAMES_PER_SECOND: usize = 50;

/// What can be set for a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The language spoken, ISO 639-1; `None` listens first.
    pub language: Option<String>,
    /// The most speech handed to the model at once, seconds.
    pub longest_piece_s: f32,
    /// Encoder frames beyond the speech: too few and the end is repeated.
    pub margin_frames: usize,
    /// Whether the model writes its own time marks as well, which costs tokens.
    pub time_marks: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            language: None,
            longest_piece_s: 10.0,
            margin_frames: 128,
            time_marks: true,
        }
    }
}

/// A loaded model, shared by as many [`Session`]s as run at once.
#[derive(Debug)]
pub struct Recogniser {
    context: WhisperContext,
    model: Model,
    vad_path: std::path::PathBuf,
}

/// What was heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// All channels' turns in the order they begin.
    pub segments: Vec<Segment>,
    /// The language, ISO 639-1; `None` when nobody spoke.
    pub language: Option<String>,
}

impl Heard {
    /// The whole text.
    #[must_use]
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.segments.iter().map(|segment| segment.text.as_str()).collect();
        texts.join(" ")
    }

    /// The mean confidence of all words.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        mean(self.segments.iter().flat_map(|segment| &segment.words))
    }
}

impl Recogniser {
    /// Loads the speech model `name` (the most capable one when empty) and finds the voice-activity
    /// model.
    ///
    /// # Errors
    /// When a model is missing (the message names the command that mends it) or the processor is too
    /// old.
    pub fn load(store: &ModelStore, name: &str) -> Result<Arc<Self>, Error> {
        cpu::check()?;
        whisper_rs::install_logging_hooks();
        let model = store.speech(name)?;
        let path = store.path(&model)?;
        let vad_path = store.path(&store.voice_activity()?)?;
        let mut parameters = WhisperContextParameters::new();
        parameters
            .use_gpu(false)
            .flash_attn(false)
            .dtw_parameters(DtwParameters {
                mode: alignment(&model),
                ..DtwParameters::default()
            });
        let context = WhisperContext::new_with_params(&path, parameters).map_err(|source| Error::Engine {
            doing: "loading the speech model",
            source,
        })?;
        Ok(Arc::new(Self {
            context,
            model,
            vad_path,
        }))
    }

    /// The model in use.
    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// Buffers for one run at a time.
    ///
    /// # Errors
    /// When there is no memory for them or the voice-activity model is damaged.
    pub fn session(self: &Arc<Self>) -> Result<Session, Error> {
        let state = self.context.create_state().map_err(|source| Error::Engine {
            doing: "making room for a transcription",
            source,
        })?;
        Ok(Session {
            recogniser: Arc::clone(self),
            state,
            vad: Vad::load(&self.vad_path)?,
        })
    }
}

/// Buffers for one run at a time.
#[derive(Debug)]
pub struct Session {
    recogniser: Arc<Recogniser>,
    state: WhisperState,
    vad: Vad,
}

impl Session {
    /// The model in use.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.recogniser.model
    }

    /// Turns the speech on each channel (16 kHz) into text; `speakers` names them for people.
    ///
    /// # Errors
    /// [`Error::Cancelled`] soon after `course` was told to end, or what the engine said.
    pub fn transcribe(
        &mut self,
        channels: &[Vec<i16>],
        speakers: &[String],
        options: &Options,
        course: &Course,
    ) -> Result<Heard, Error> {
        let mut heard = Heard {
            segments: Vec::new(),
            language: None,
        };
        for (channel, samples) in channels.iter().enumerate() {
            let others = channels.iter().enumerate().filter(|(other, _)| *other != channel);
            let others: Vec<&[i16]> = others.map(|(_, samples)| samples.as_slice()).collect();
            let (words, language) = self.channel(Run {
                samples,
                others: &others,
                options,
                course,
            })?;
            if channel == 0 || heard.language.is_none() {
                heard.language = language;
            }
            let channel = u8::try_from(channel).unwrap_or(u8::MAX);
            let speaker = speakers.get(usize::from(channel)).cloned().unwrap_or_default();
            let segments = turns(words).into_iter().map(|words| segment(channel, &speaker, words));
            heard.segments.extend(segments);
        }
        heard
            .segments
            .sort_by_key(|segment| (segment.start_ms, segment.channel));
        Ok(heard)
    }

    fn channel(&mut self, run: Run<'_>) -> Result<(Vec<Word>, Option<String>), Error> {
        let Run { samples, options, .. } = run;
        let longest = (options.longest_piece_s.clamp(2.0, 29.0) * 16_000.0) as usize;
        let mut probabilities = self.vad.probabilities(samples)?;
        for (probability, is_echo) in probabilities.iter_mut().zip(echoes(samples, run.others)) {
            if is_echo {
                *probability = 0.0;
            }
        }
        let pieces = pack(&spans(&probabilities, samples, longest), longest);
        let mut all: Vec<Vec<Word>> = vec![Vec::new(); pieces.len()];
        // The longest of the first pieces tells the language best.
        let Some(first) = (0..pieces.len().min(4)).max_by_key(|n| pieces.get(*n).map_or(0, Piece::len)) else {
            run.course.heard(samples.len());
            return Ok((Vec::new(), None));
        };
        let mut passed = 0;
        let given = options.language.as_deref().unwrap_or("en");
        let mut language = if self.recogniser.model.multilingual {
            given
        } else {
            "en"
        };
        for n in std::iter::once(first).chain((0..pieces.len()).filter(|n| *n != first)) {
            let (Some(piece), Some(words)) = (pieces.get(n), all.get_mut(n)) else {
                continue;
            };
            *words = self.piece(piece, &run, language, Effort::Usual)?;
            if n == first && self.recogniser.model.multilingual && options.language.is_none() {
                let spoken = self.language()?;
                if spoken != language {
                    language = spoken;
                    *words = self.piece(piece, &run, language, Effort::Usual)?;
                }
            }
            if is_repeating(words) {
                let again = self.piece(piece, &run, language, Effort::Careful)?;
                *words = without_repeats(again);
            }
            let end = piece.end();
            run.course.heard(end.saturating_sub(passed));
            passed = passed.max(end);
        }
        run.course.heard(samples.len().saturating_sub(passed));
        Ok((all.into_iter().flatten().collect(), Some(language.to_owned())))
    }

    /// The language of the piece that was run last: one more look at what is already in the buffers.
    fn language(&self) -> Result<&'static str, Error> {
        let (id, _) = self.state.lang_detect(0, 1).map_err(|source| Error::Engine {
            doing: "listening for the language",
            source,
        })?;
        Ok(whisper_rs::get_lang_str(id).unwrap_or("en"))
    }

    fn piece(&mut self, piece: &Piece, run: &Run<'_>, language: &str, effort: Effort) -> Result<Vec<Word>, Error> {
        let mut params = self.params(piece, language, run.options, effort);
        abort::on_flag(&mut params, run.course.flag());
        let outcome = self.state.full(params, &padded(piece.samples(run.samples)));
        if run.course.flag().load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        outcome.map_err(|source| Error::Engine {
            doing: "transcribing",
            source,
        })?;
        Ok(words(&self.tokens(), piece, run.samples))
    }

    fn params<'a>(&self, piece: &Piece, language: &'a str, options: &Options, effort: Effort) -> FullParams<'a, 'a> {
        let mut params = FullParams::new(match effort {
            Effort::Usual => SamplingStrategy::Greedy { best_of: 1 },
            Effort::Careful => SamplingStrategy::BeamSearch {
                beam_size: 5,
                patience: -1.0,
            },
        });
        params.set_n_threads(1);
        params.set_language(Some(language));
        params.set_no_context(true);
        params.set_suppress_nst(true);
        params.set_no_timestamps(!options.time_marks);
        params.set_single_segment(!options.time_marks);
        params.set_print_progress(false);
        params.set_print_realtime(false);
        params.set_print_special(false);
        params.set_print_timestamps(false);
        let whole = usize::try_from(self.recogniser.context.n_audio_ctx()).unwrap_or(1500);
        let needed = piece.len().max(SHORTEST) * FRAMES_PER_SECOND / 16_000 + options.margin_frames;
        let frames = match effort {
            Effort::Usual => needed.next_multiple_of(8).min(whole / 8 * 8),
            Effort::Careful => whole,
        };
        params.set_audio_ctx(i32::try_from(frames).unwrap_or(0));
        params
    }

    fn tokens(&self) -> Vec<Token> {
        let end_of_text = self.recogniser.context.token_eot();
        let mut tokens = Vec::new();
        for segment in self.state.as_iter() {
            for n in 0..segment.n_tokens() {
                let Some(token) = segment.get_token(n) else {
                    continue;
                };
                let data = token.token_data();
                if data.id >= end_of_text {
                    continue;
                }
                let end_cs = if data.t_dtw >= 0 {
                    data.t_dtw
                } else {
                    segment.end_timestamp()
                };
                tokens.push(Token {
                    bytes: token.to_bytes().unwrap_or_default().to_vec(),
                    probability: data.p,
                    end_ms: end_cs * 10,
                });
            }
        }
        tokens
    }
}

/// One channel's run.
#[derive(Debug, Clone, Copy)]
struct Run<'a> {
    samples: &'a [i16],
    /// The other channels, which may be heard in this one.
    others: &'a [&'a [i16]],
    options: &'a Options,
    course: &'a Course,
}

/// How hard to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effort {
    /// Greedy, with the window cut to the piece.
    Usual,
    /// Beam search over the full window, for what went wrong.
    Careful,
}

fn padded(mut samples: Vec<f32>) -> Vec<f32> {
    if samples.len() < SHORTEST {
        samples.resize(SHORTEST, 0.0);
    }
    samples
}

fn segment(channel: u8, speaker: &str, words: Vec<Word>) -> Segment {
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    Segment {
        channel,
        speaker: speaker.to_owned(),
        start_ms: words.first().map_or(0, |word| word.start_ms),
        end_ms: words.last().map_or(0, |word| word.end_ms),
        text: texts.join(" "),
        confidence: mean(&words),
        sentiment: Sentiment::Neutral,
        words,
    }
}

fn mean<'a>(words: impl IntoIterator<Item = &'a Word>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0_f64);
    for word in words {
        sum += word.confidence;
        count += 1.0;
    }
    sum / count.max(1.0)
}

/// The heads that follow the words in time, known for each published model.
fn alignment(model: &Model) -> DtwMode<'static> {
    let preset = match (model.size, model.multilingual) {
        (Some(Size::Tiny), false) => DtwModelPreset::TinyEn,
        (Some(Size::Tiny), true) => DtwModelPreset::Tiny,
        (Some(Size::Base), false) => DtwModelPreset::BaseEn,
        (Some(Size::Base), true) => DtwModelPreset::Base,
        (Some(Size::Small), false) => DtwModelPreset::SmallEn,
        (Some(Size::Small), true) => DtwModelPreset::Small,
        (Some(Size::Medium), false) => DtwModelPreset::MediumEn,
        (Some(Size::Medium), true) => DtwModelPreset::Medium,
        (Some(Size::LargeTurbo), _) => DtwModelPreset::LargeV3Turbo,
        (Some(Size::LargeV2), _) => DtwModelPreset::LargeV2,
        (Some(Size::LargeV3), _) => DtwModelPreset::LargeV3,
        (None, _) => return DtwMode::None,
    };
    DtwMode::ModelPreset { model_preset: preset }
}
