//! Writes the file that whisper.cpp loads, from a CTranslate2 model.
//!
//! Layout: magic, eleven header numbers, mel filters, vocabulary, then tensors in any order, each
//! with rank, name length, type, shape (innermost first), name and data.

use super::ct2::{Ct2, Tensor};
use super::{Error, half, mel, vocabulary};
use std::io::Write;
use std::path::Path;

const MAGIC: i32 = 0x6767_6d6c;
const BLOCK: usize = 32;

/// How the matrices are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantisation {
    /// 16-bit floating point.
    F16,
    /// 8-bit blocks of 32 with one scale: half the size and less work, without a loss that shows.
    Q8_0,
}

impl Quantisation {
    /// Its name as written in the manifest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
        }
    }

    const fn tensor_type(self) -> i32 {
        match self {
            Self::F16 => 1,
            Self::Q8_0 => 8,
        }
    }

    /// The header's file type; 2000 says version 2 of the block layout.
    const fn file_type(self) -> i32 {
        match self {
            Self::F16 => 1,
            Self::Q8_0 => 2007,
        }
    }
}

/// Converts the model in `folder` and writes it to `out`.
///
/// # Errors
/// When the folder is no complete Whisper model or a file cannot be read or written.
pub(super) fn convert(folder: &Path, wanted: Quantisation, out: &mut impl Write) -> Result<(), Error> {
    let words = vocabulary::read(folder)?;
    let mut model = Ct2::open(&folder.join("model.bin"))?;
    write_header(&mut model, &words, wanted, out)?;
    for side in ["encoder", "decoder"] {
        let mut writer = TensorWriter {
            model: &mut model,
            out,
            wanted,
        };
        writer.side(side)?;
    }
    Ok(())
}

fn write_header(model: &mut Ct2, words: &[Vec<u8>], wanted: Quantisation, out: &mut impl Write) -> Result<(), Error> {
    let dimension = |shape: &[usize], at: usize| shape.get(at).copied().unwrap_or(0);
    let embeddings = model.shape("decoder/embeddings/weight")?.to_vec();
    let (vocabulary_size, state) = (dimension(&embeddings, 0), dimension(&embeddings, 1));
    let bands = dimension(model.shape("encoder/conv1/weight")?, 1);
    let audio_context = dimension(model.shape("encoder/position_encodings/encodings")?, 0);
    let text_context = dimension(model.shape("decoder/position_encodings/encodings")?, 0);
    let numbers = [
        vocabulary_size,
        audio_context,
        state,
        model.number("encoder/num_heads")?,
        layers(model, "encoder"),
        text_context,
        state,
        model.number("decoder/num_heads")?,
        layers(model, "decoder"),
        bands,
    ];
    write_i32(out, MAGIC)?;
    for number in numbers {
        write_len(out, number)?;
    }
    write_i32(out, wanted.file_type())?;

    let filters = mel::filters(bands);
    write_len(out, bands)?;
    write_len(out, filters.first().map_or(0, Vec::len))?;
    for weight in filters.iter().flatten() {
        out.write_all(&weight.to_le_bytes())?;
    }
    write_len(out, words.len())?;
    for word in words {
        write_len(out, word.len())?;
        out.write_all(word)?;
    }
    Ok(())
}

fn layers(model: &Ct2, side: &str) -> usize {
    let prefix = format!("{side}/layer_");
    let numbers = model.names().filter_map(|name| {
        let rest = name.strip_prefix(&prefix)?;
        rest.split('/').next()?.parse::<usize>().ok()
    });
    numbers.max().map_or(0, |last| last + 1)
}

struct TensorWriter<'a, W: Write> {
    model: &'a mut Ct2,
    out: &'a mut W,
    wanted: Quantisation,
}

impl<W: Write> TensorWriter<'_, W> {
    fn side(&mut self, side: &str) -> Result<(), Error> {
        let positions = self.model.dense(&format!("{side}/position_encodings/encodings"))?;
        self.write(&format!("{side}.positional_embedding"), &positions)?;
        if side == "encoder" {
            for conv in ["conv1", "conv2"] {
                let weight = self.model.dense(&format!("encoder/{conv}/weight"))?;
                self.write(&format!("encoder.{conv}.weight"), &weight)?;
                let mut bias = self.model.dense(&format!("encoder/{conv}/bias"))?;
                bias.shape.push(1);
                self.write(&format!("encoder.{conv}.bias"), &bias)?;
            }
            self.norm("encoder/layer_norm", "encoder.ln_post")?;
        } else {
            let embeddings = self.model.dense("decoder/embeddings/weight")?;
            self.write("decoder.token_embedding.weight", &embeddings)?;
            self.norm("decoder/layer_norm", "decoder.ln")?;
        }
        for layer in 0..layers(self.model, side) {
            let (from, to) = (format!("{side}/layer_{layer}"), format!("{side}.blocks.{layer}"));
            self.norm(&format!("{from}/self_attention/layer_norm"), &format!("{to}.attn_ln"))?;
            self.attention(
                &format!("{from}/self_attention"),
                &format!("{to}.attn"),
                &["linear_0"],
                "linear_1",
            )?;
            if side == "decoder" {
                self.norm(&format!("{from}/attention/layer_norm"), &format!("{to}.cross_attn_ln"))?;
                let fused = ["linear_0", "linear_1"];
                self.attention(
                    &format!("{from}/attention"),
                    &format!("{to}.cross_attn"),
                    &fused,
                    "linear_2",
                )?;
            }
            self.norm(&format!("{from}/ffn/layer_norm"), &format!("{to}.mlp_ln"))?;
            self.linear(&format!("{from}/ffn/linear_0"), &format!("{to}.mlp.0"))?;
            self.linear(&format!("{from}/ffn/linear_1"), &format!("{to}.mlp.2"))?;
        }
        Ok(())
    }

    fn norm(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let gamma = self.model.dense(&format!("{from}/gamma"))?;
        self.write(&format!("{to}.weight"), &gamma)?;
        let beta = self.model.dense(&format!("{from}/beta"))?;
        self.write(&format!("{to}.bias"), &beta)
    }

    fn linear(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let weight = self.model.dense(&format!("{from}/weight"))?;
        self.write(&format!("{to}.weight"), &weight)?;
        let bias = self.model.dense(&format!("{from}/bias"))?;
        self.write(&format!("{to}.bias"), &bias)
    }

    /// CTranslate2 fuses query, key and value into one matrix (key and value in cross attention);
    /// whisper.cpp wants them apart and the key without a bias.
    fn attention(&mut self, from: &str, to: &str, fused: &[&str], output: &str) -> Result<(), Error> {
        let (mut weights, mut biases, mut columns) = (Vec::new(), Vec::new(), 0);
        for name in fused {
            let weight = self.model.dense(&format!("{from}/{name}/weight"))?;
            columns = weight.shape.get(1).copied().unwrap_or(0);
            weights.extend(weight.values);
            biases.extend(self.model.dense(&format!("{from}/{name}/bias"))?.values);
        }
        let rows = biases.len() / 3;
        if rows == 0 || columns == 0 || weights.len() != 3 * rows * columns {
            return Err(Error::Format(format!("{from} is not three matrices of one size")));
        }
        let parts = weights.chunks(rows * columns).zip(biases.chunks(rows));
        for (part, (weight, bias)) in ["query", "key", "value"].into_iter().zip(parts) {
            let weight = Tensor {
                shape: vec![rows, columns],
                values: weight.to_vec(),
            };
            self.write(&format!("{to}.{part}.weight"), &weight)?;
            if part == "key" {
                if bias.iter().any(|value| value.abs() > 1e-6) {
                    return Err(Error::Format(format!(
                        "the key of {from} has a bias, which ggml cannot hold"
                    )));
                }
            } else {
                let bias = Tensor {
                    shape: vec![rows],
                    values: bias.to_vec(),
                };
                self.write(&format!("{to}.{part}.bias"), &bias)?;
            }
        }
        self.linear(&format!("{from}/{output}"), &format!("{to}.out"))
    }

    fn write(&mut self, name: &str, tensor: &Tensor) -> Result<(), Error> {
        let storage = storage(name, tensor, self.wanted);
        write_len(self.out, tensor.shape.len())?;
        write_len(self.out, name.len())?;
        write_i32(self.out, storage.map_or(0, Quantisation::tensor_type))?;
        for dimension in tensor.shape.iter().rev() {
            write_len(self.out, *dimension)?;
        }
        self.out.write_all(name.as_bytes())?;
        let mut bytes = Vec::new();
        match storage {
            None => tensor.values.iter().for_each(|value| bytes.extend(value.to_le_bytes())),
            Some(Quantisation::F16) => {
                let halves = tensor.values.iter().map(|value| half::from_f32(*value));
                halves.for_each(|half| bytes.extend(half.to_le_bytes()));
            }
            Some(Quantisation::Q8_0) => pack_q8_0(&tensor.values, &mut bytes),
        }
        Ok(self.out.write_all(&bytes)?)
    }
}

/// Vectors and positions stay 32-bit (`None`), convolutions are 16-bit, only matrices whose rows
/// are whole blocks are quantised.
fn storage(name: &str, tensor: &Tensor, wanted: Quantisation) -> Option<Quantisation> {
    if tensor.shape.len() < 2 || name.ends_with(".bias") || name.ends_with("positional_embedding") {
        return None;
    }
    let whole_blocks = tensor.shape.last().is_some_and(|columns| columns % BLOCK == 0);
    if name.contains(".conv") || !whole_blocks {
        return Some(Quantisation::F16);
    }
    Some(wanted)
}

/// Blocks of 32: the scale as a half, then 32 signed bytes.
fn pack_q8_0(values: &[f32], out: &mut Vec<u8>) {
    for block in values.chunks(BLOCK) {
        let largest = block.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = largest / 127.0;
        let divisor = if scale == 0.0 { 1.0 } else { scale };
        out.extend(half::from_f32(scale).to_le_bytes());
        out.extend(
            block
                .iter()
                .map(|value| ((value / divisor).round_ties_even() as i8).cast_unsigned()),
        );
    }
}

fn write_i32(out: &mut impl Write, value: i32) -> Result<(), Error> {
    Ok(out.write_all(&value.to_le_bytes())?)
}

fn write_len(out: &mut impl Write, value: usize) -> Result<(), Error> {
    let value = i32::try_from(value).map_err(|_| Error::Format("a dimension is too large".into()))?;
    write_i32(out, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_keeps_its_values_within_half_a_step() {
        let values: Vec<f32> = (0..64).map(|n| (n as f32 * 0.7).sin() * 3.0).collect();
        let mut packed = Vec::new();
        pack_q8_0(&values, &mut packed);
        assert_eq!(packed.len(), 2 * 34);
        for (block, packed) in values.chunks(32).zip(packed.chunks(34)) {
            let scale = half::to_f32(u16::from_le_bytes([packed[0], packed[1]]));
            for (value, byte) in block.iter().zip(&packed[2..]) {
                let back = f32::from(byte.cast_signed()) * scale;
                assert!(
                    (back - value).abs() <= scale * 0.51 + 0.003,
                    "{value} came back as {back}"
                );
            }
        }
    }
}
