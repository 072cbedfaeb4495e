//! Reads a CTranslate2 Whisper folder (the form faster-whisper uses): `model.bin` and its vocabulary.
//!
//! The index is read whole, the weights one tensor at a time, so importing a large model does not
//! need its size in memory.

use super::Error;
use super::half;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// How a stored variable's elements are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    F32,
    I8,
    I16,
    I32,
    F16,
    Bf16,
}

#[derive(Debug, Clone)]
struct Variable {
    shape: Vec<usize>,
    element: Element,
    offset: u64,
    size_bytes: usize,
}

/// A weight as numbers: its shape, outermost first, and its values in row order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

/// An open `model.bin`.
#[derive(Debug)]
pub(super) struct Ct2 {
    file: BufReader<File>,
    variables: BTreeMap<String, Variable>,
}

impl Ct2 {
    /// Opens `model.bin` and reads its index.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let mut file = BufReader::new(File::open(path)?);
        let length = file.get_ref().metadata()?.len();
        let version = read_u32(&mut file)?;
        if !(4..=6).contains(&version) {
            return Err(Error::Format(format!(
                "CTranslate2 binary version {version} is not supported"
            )));
        }
        let spec = read_name(&mut file)?;
        let _revision = read_u32(&mut file)?;
        if spec != "WhisperSpec" {
            return Err(Error::Format(format!("not a Whisper model but {spec}")));
        }
        let mut variables = BTreeMap::new();
        for _ in 0..read_u32(&mut file)? {
            let (name, variable) = read_variable(&mut file, length)?;
            variables.insert(name, variable);
        }
        for _ in 0..read_u32(&mut file)? {
            let (alias, target) = (read_name(&mut file)?, read_name(&mut file)?);
            if let Some(variable) = variables.get(&target).cloned() {
                variables.insert(alias, variable);
            }
        }
        Ok(Self { file, variables })
    }

    /// The names of all variables.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// The shape of a variable, outermost first.
    pub(super) fn shape(&self, name: &str) -> Result<&[usize], Error> {
        Ok(&self.variable(name)?.shape)
    }

    /// A variable that holds one whole number.
    pub(super) fn number(&mut self, name: &str) -> Result<usize, Error> {
        let value = self.plain(name)?.values.first().copied().unwrap_or(0.0);
        Ok(value.max(0.0) as usize)
    }

    /// A weight as `f32`; 8-bit rows carry a scale each (value = stored / scale).
    pub(super) fn dense(&mut self, name: &str) -> Result<Tensor, Error> {
        let mut tensor = self.plain(name)?;
        let scale_name = format!("{name}_scale");
        if !self.variables.contains_key(&scale_name) {
            return Ok(tensor);
        }
        let scale = self.plain(&scale_name)?.values;
        let rows = scale.len().max(1);
        let row_length = (tensor.values.len() / rows).max(1);
        for (row, scale) in tensor.values.chunks_mut(row_length).zip(&scale) {
            for value in row {
                *value /= scale;
            }
        }
        Ok(tensor)
    }

    fn variable(&self, name: &str) -> Result<&Variable, Error> {
        self.variables
            .get(name)
            .ok_or_else(|| Error::Format(format!("the model has no variable {name}")))
    }

    fn plain(&mut self, name: &str) -> Result<Tensor, Error> {
        let variable = self.variable(name)?.clone();
        self.file.seek(SeekFrom::Start(variable.offset))?;
        let mut bytes = vec![0; variable.size_bytes];
        self.file.read_exact(&mut bytes)?;
        let values: Vec<f32> = match variable.element {
            Element::F32 => bytes
                .as_chunks::<4>()
                .0
                .iter()
                .map(|b| f32::from_le_bytes(*b))
                .collect(),
            Element::I8 => bytes.iter().map(|b| f32::from(b.cast_signed())).collect(),
            Element::I16 => bytes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|b| f32::from(i16::from_le_bytes(*b)))
                .collect(),
            Element::I32 => bytes
                .as_chunks::<4>()
                .0
                .iter()
                .map(|b| i32::from_le_bytes(*b) as f32)
                .collect(),
            Element::F16 => bytes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|b| half::to_f32(u16::from_le_bytes(*b)))
                .collect(),
            // bfloat16 is the upper half of an f32.
            Element::Bf16 => bytes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|b| f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16))
                .collect(),
        };
        let elements: usize = variable.shape.iter().product();
        if elements != values.len() {
            return Err(Error::Format(format!("variable {name} is not as long as its shape")));
        }
        Ok(Tensor {
            shape: variable.shape,
            values,
        })
    }
}

fn read_variable(file: &mut BufReader<File>, length: u64) -> Result<(String, Variable), Error> {
    let name = read_name(file)?;
    let rank = read_u8(file)?;
    let mut shape = Vec::new();
    for _ in 0..rank {
        shape.push(read_u32(file)? as usize);
    }
    let element = match read_u8(file)? {
        0 => Element::F32,
        1 => Element::I8,
        2 => Element::I16,
        3 => Element::I32,
        4 => Element::F16,
        5 => Element::Bf16,
        other => {
            return Err(Error::Format(format!(
                "variable {name} has unknown element type {other}"
            )));
        }
    };
    let size_bytes = read_u32(file)? as usize;
    let offset = file.stream_position()?;
    if offset + size_bytes as u64 > length {
        return Err(Error::Format(format!("the file ends within variable {name}")));
    }
    file.seek_relative(i64::try_from(size_bytes).unwrap_or(i64::MAX))?;
    let variable = Variable {
        shape,
        element,
        offset,
        size_bytes,
    };
    Ok((name, variable))
}

fn read_u8(file: &mut impl Read) -> Result<u8, Error> {
    let mut byte = [0; 1];
    file.read_exact(&mut byte)?;
    Ok(byte[0])
}

fn read_u32(file: &mut impl Read) -> Result<u32, Error> {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// A name: a length that counts the closing zero byte, then the bytes.
fn read_name(file: &mut impl Read) -> Result<String, Error> {
    let mut length = [0; 2];
    file.read_exact(&mut length)?;
    let mut bytes = vec![0; usize::from(u16::from_le_bytes(length))];
    file.read_exact(&mut bytes)?;
    bytes.pop();
    String::from_utf8(bytes).map_err(|_| Error::Format("a variable's name is not text".into()))
}
