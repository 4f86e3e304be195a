//! Teachers of a distillation: networks of other runs.

use std::path::PathBuf;

use super::{ReadError, SavedRun};
use crate::data::{Area, Dataset, ScalingMethod, Subset, image_shape};
use crate::foreign_text::{self, shown};
use crate::network::Network;
use crate::preset::Preset;
use crate::train::Teacher;

/// Reason why a run cannot teach.
#[derive(Debug, thiserror::Error)]
pub enum TeacherError {
    /// The preset names none.
    #[error(
        "there is no teacher. Name the folders of trained runs with --teacher RUN,RUN, or as teachers"
    )]
    None,
    /// The run cannot be read.
    #[error("teacher {0}")]
    Read(#[source] Box<ReadError>),
    /// The run was trained on other data.
    #[error(
        "teacher {}: it was trained on {teacher}, and this network is trained on {own}. Give runs \
         on the same dataset",
        foreign_text::path(.folder)
    )]
    Dataset {
        /// Folder of the run.
        folder: PathBuf,
        /// Its dataset.
        teacher: String,
        /// Dataset of this training.
        own: String,
    },
    /// The run has other classes.
    #[error(
        "teacher {}: it has {teacher} outputs, and the classes are {own}. Give runs with the same \
         classes",
        foreign_text::path(.folder)
    )]
    Classes {
        /// Folder of the run.
        folder: PathBuf,
        /// Its outputs.
        teacher: usize,
        /// Classes of the data.
        own: String,
    },
    /// The run takes other inputs.
    #[error("teacher {}: {problem}", foreign_text::path(.folder))]
    Inputs {
        /// Folder of the run.
        folder: PathBuf,
        /// Problem and remedy.
        problem: String,
    },
}

/// Reads the teachers of a preset, and checks that they have the classes and the images of the
/// training rows.
///
/// # Errors
/// [`TeacherError`] with the run's folder.
pub(super) fn teachers(preset: &Preset, train: &Subset) -> Result<Vec<Teacher>, TeacherError> {
    let Some(distillation) = &preset.training.distillation else { return Ok(Vec::new()) };
    if distillation.teachers.is_empty() {
        return Err(TeacherError::None);
    }
    distillation.teachers.iter().map(|folder| teacher(folder.clone(), preset, train)).collect()
}

fn teacher(folder: PathBuf, preset: &Preset, train: &Subset) -> Result<Teacher, TeacherError> {
    let saved = SavedRun::open_learnt(&folder);
    let saved = saved.map_err(|error| TeacherError::Read(Box::new(error)))?;
    let dataset = train.dataset();
    let (own, other) = (&preset.data.dataset, &saved.preset.data.dataset);
    if own != other {
        let [teacher, own] = [other, own].map(|source| source.to_string());
        return Err(TeacherError::Dataset { folder, teacher, own });
    }
    let names = dataset.class_names();
    if saved.network.outputs() != names.len() {
        let (teacher, own) = (saved.network.outputs(), listed(names));
        return Err(TeacherError::Classes { folder, teacher, own });
    }
    let none = ScalingMethod::None;
    if saved.preset.data.scaling() != none || preset.data.scaling() != none {
        let problem = "scaled features differ between runs. Set data.scaling = \"none\" in both";
        return Err(TeacherError::Inputs { folder, problem: problem.to_string() });
    }
    let area = area(&saved.preset, &saved.network, dataset);
    let area = area.map_err(|problem| TeacherError::Inputs { folder, problem })?;
    Ok(Teacher { network: saved.network, area })
}

/// Returns the averaging from the images of a dataset to the inputs of a teacher.
fn area(
    preset: &Preset,
    network: &Network<f32>,
    dataset: &Dataset,
) -> Result<Option<Area>, String> {
    let shape = dataset.original().map_or(dataset.shape(), |original| &original.shape);
    let image = image_shape(shape);
    let size = match image {
        Some([height, width, _]) => preset.data.averaged_size([height, width]),
        None => Ok(None),
    };
    let size = size.map_err(|(key, problem)| format!("{key}: {problem}"))?;
    let (area, inputs) = match (size, image) {
        (Some(to), Some([height, width, channels])) => {
            (Some(Area { from: [height, width], to }), to[0] * to[1] * channels)
        }
        _ => (None, shape.iter().product()),
    };
    match network.inputs() == inputs {
        true => Ok(area),
        false => Err(format!(
            "it takes {} values, and its images have {inputs}. Give runs on the same images",
            network.inputs()
        )),
    }
}

/// Formats the names of classes for a message.
fn listed(names: &[String]) -> String {
    const LISTED: usize = 12;
    let list: Vec<String> = names.iter().take(LISTED).map(|name| shown(name)).collect();
    list.join(", ") + if names.len() > LISTED { ", …" } else { "" }
}
