//! Walk through a graph, from its input to the imported output.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use thimble_support::foreign_text::shown;

use super::constant::constant;
use super::proto::{Graph, Node, TensorProto, ValueInfo};
use super::quantization::Scales;
use super::{operators, outputs, shapes};
use crate::error::{Error, Result};
use crate::expression::{Expression, Expressions, Kind};
use crate::float_network::FloatNetwork;
use crate::tensor::Tensor;

/// Maximum of all numbers that nodes hold: 1 GiB.
const MAX_NUMBERS: usize = 1 << 27;

/// A value of the graph.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Known in the file.
    Constant(Tensor),
    /// Computed from the input, by its number.
    Computed(usize),
}

/// State of the walk.
pub(super) struct Walk<'g> {
    initializers: HashMap<&'g str, &'g TensorProto>,
    folder: Option<&'g Path>,
    pub(super) values: HashMap<&'g str, Value>,
    pub(super) computed: Expressions,
    /// Scales of constants that were dequantized.
    pub(super) scales: HashMap<&'g str, Scales>,
    pub(super) opset: i64,
    pub(super) notes: Vec<String>,
    /// Numbers that nodes may still add: a small file must not become large by its nodes.
    left: usize,
}

/// A node with its index, for messages.
#[derive(Clone, Copy)]
pub(super) struct Place<'g> {
    pub(super) index: usize,
    pub(super) node: &'g Node,
}

impl Place<'_> {
    /// Returns index, name and operator.
    pub(super) fn text(&self) -> String {
        let name = match self.node.name.is_empty() {
            true => self.node.outputs.first().map_or("", String::as_str),
            false => &self.node.name,
        };
        let domain = match &*self.node.domain {
            "" | "ai.onnx" => String::new(),
            domain => format!("{domain}."),
        };
        shown(&format!("node {} `{name}` ({domain}{})", self.index, self.node.operator))
    }

    pub(super) fn refuse(&self, problem: impl Into<String>) -> Error {
        Error::place(self.text(), problem)
    }
}

/// Converts the graph to a network.
pub(super) fn network(graph: &Graph, opset: i64, folder: Option<&Path>) -> Result<FloatNetwork> {
    let initializers: HashMap<&str, &TensorProto> =
        graph.initializers.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    // Before IR 4, initializers are inputs, too.
    let is_free = |input: &&ValueInfo| !initializers.contains_key(input.name.as_str());
    let inputs: Vec<&ValueInfo> = graph.inputs.iter().filter(is_free).collect();
    let [input] = inputs[..] else {
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let problem = format!(
            "it has {} inputs ({}). Only a chain of layers with one input can be imported",
            inputs.len(),
            shown(&names.join(", "))
        );
        return Err(Error::place("the graph", problem));
    };
    let output = outputs::output(graph)?;
    let needed = needed(graph, output);
    let (shape, batch) = shapes::input(input)?;
    let shape = match shape {
        Some(shape) => shape,
        None => vec![first_width(graph, &initializers, &input.name)?],
    };
    let mut walk = Walk {
        values: HashMap::from([(input.name.as_str(), Value::Computed(0))]),
        computed: Expressions(vec![Expression {
            place: format!("input `{}`", input.name),
            name: "input".into(),
            shape: shape.clone(),
            kind: Kind::Input,
        }]),
        initializers,
        scales: HashMap::new(),
        folder,
        opset,
        notes: Vec::new(),
        left: MAX_NUMBERS,
    };
    if let Some(batch) = batch {
        walk.notes.push(format!("the batch of {batch} is ignored: each row is computed by itself"));
    }
    let is_needed = |node: &Node| node.outputs.iter().any(|name| needed.contains(name.as_str()));
    let places = graph.nodes.iter().enumerate().filter(|(_, node)| is_needed(node));
    let places: Vec<Place<'_>> = places.map(|(index, node)| Place { index, node }).collect();
    // The layer that rules a model out, rather than the shape arithmetic before it.
    if let Some(error) = places.iter().find_map(|at| operators::foreign_layer(*at)) {
        return Err(error);
    }
    for at in places {
        operators::follow(&mut walk, at)?;
    }
    let number = match walk.values.get(output) {
        Some(Value::Computed(number)) => *number,
        _ => {
            let problem = format!("its output `{}` does not depend on the input", shown(output));
            return Err(Error::place("the graph", problem));
        }
    };
    let classes = outputs::classes(graph, &walk.initializers);
    let mut network =
        FloatNetwork { source: "ONNX model", shape, steps: Vec::new(), classes, notes: walk.notes };
    walk.computed.append(number, &mut network)?;
    Ok(network)
}

/// Returns the names of all values that the output depends on.
fn needed<'g>(graph: &'g Graph, output: &'g str) -> HashSet<&'g str> {
    let mut needed = HashSet::from([output]);
    for node in graph.nodes.iter().rev() {
        if node.outputs.iter().any(|name| needed.contains(name.as_str())) {
            needed.extend(node.inputs.iter().map(String::as_str));
        }
    }
    needed
}

/// Returns the rows of the first matrix, which is the number of inputs of a graph that leaves it
/// open.
fn first_width(
    graph: &Graph,
    initializers: &HashMap<&str, &TensorProto>,
    input: &str,
) -> Result<usize> {
    let matrix = graph.nodes.iter().find_map(|node| {
        if !matches!(&*node.operator, "MatMul" | "Gemm") {
            return None;
        }
        let weights = initializers.get(node.inputs.get(1)?.as_str())?;
        let at = usize::from(node.int("transB", 0) != 0);
        usize::try_from(*weights.dims.get(at)?).ok()
    });
    matrix.ok_or_else(|| {
        let place = format!("input `{}`", shown(input));
        Error::place(
            place,
            "its number of features is not in the file. Export it with a fixed shape",
        )
    })
}

impl<'g> Walk<'g> {
    /// Returns an input of a node, or `None` for a missing optional one.
    pub(super) fn input(&self, at: Place<'g>, index: usize) -> Result<Option<Value>> {
        let Some(name) = at.node.inputs.get(index).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        if let Some(value) = self.values.get(name.as_str()) {
            return Ok(Some(value.clone()));
        }
        match self.initializers.get(name.as_str()) {
            Some(tensor) => constant(tensor, self.folder).map(Value::Constant).map(Some),
            None => Err(at.refuse(format!(
                "its input `{}` is computed later or missing. The file is damaged",
                shown(name)
            ))),
        }
    }

    /// Returns a needed input.
    pub(super) fn needed(&self, at: Place<'g>, index: usize) -> Result<Value> {
        self.input(at, index)?.ok_or_else(|| at.refuse(format!("its input {index} is missing")))
    }

    /// Returns an optional constant input.
    pub(super) fn constant(&self, at: Place<'g>, index: usize) -> Result<Option<Tensor>> {
        match self.input(at, index)? {
            Some(Value::Constant(tensor)) => Ok(Some(tensor)),
            None => Ok(None),
            Some(Value::Computed(_)) => Err(at.refuse(format!(
                "its input {index} is computed, but must be a constant. Only a chain of layers can \
                 be imported"
            ))),
        }
    }

    /// Returns the tensor of an attribute.
    pub(super) fn attribute(&self, at: Place<'g>, name: &str) -> Result<Option<Tensor>> {
        let tensor = at.node.attribute(name).and_then(|attribute| attribute.t.as_ref());
        tensor.map(|tensor| constant(tensor, self.folder)).transpose()
    }

    /// Returns the scale of each output of a matrix, the input of a node; none where it was not
    /// quantized. `transposed` if the outputs are its columns.
    pub(super) fn scales(
        &self,
        at: Place<'g>,
        index: usize,
        transposed: bool,
        outputs: usize,
    ) -> Result<Vec<f64>> {
        let name = at.node.inputs.get(index).map_or("", String::as_str);
        match self.scales.get(name) {
            None => Ok(Vec::new()),
            Some(scales) => scales.of_outputs(at, transposed, outputs),
        }
    }

    /// Returns the shape of a computed value.
    pub(super) fn shape(&self, number: usize) -> &[usize] {
        &self.computed.0[number].shape
    }

    /// Sets the first output of a node to a value that is computed so.
    pub(super) fn compute(&mut self, at: Place<'g>, shape: Vec<usize>, kind: Kind) -> Result<()> {
        let name = match at.node.name.is_empty() {
            true => at.node.outputs.first().cloned().unwrap_or_default(),
            false => at.node.name.clone(),
        };
        self.charge(
            at,
            match &kind {
                Kind::Dense(_, weights, biases, _) => weights.len() + biases.len(),
                Kind::Lines(_, lines) => 3 * lines.len(),
                Kind::Slopes(_, slopes) => slopes.len(),
                _ => 0,
            },
        )?;
        self.computed.0.push(Expression { place: at.text(), name, shape, kind });
        self.set(at, Value::Computed(self.computed.0.len() - 1))
    }

    /// Sets the first output of a node.
    pub(super) fn set(&mut self, at: Place<'g>, value: Value) -> Result<()> {
        if let Value::Constant(tensor) = &value {
            self.charge(at, tensor.values.len())?;
        }
        let name = at.node.outputs.first().ok_or_else(|| at.refuse("it has no output"))?;
        self.values.insert(name, value);
        Ok(())
    }

    /// Counts numbers that a node adds.
    fn charge(&mut self, at: Place<'g>, count: usize) -> Result<()> {
        let left = self.left.checked_sub(count);
        self.left = left.ok_or_else(|| {
            at.refuse(format!("the graph holds more than {MAX_NUMBERS} numbers, the maximum"))
        })?;
        Ok(())
    }
}
