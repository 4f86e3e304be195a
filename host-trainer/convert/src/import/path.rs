//! Operators of a graph from its input to its output.

use std::collections::HashMap;

use model_format::limits::MAX_LAYERS;

use super::error::{ImportError, OperatorProblem};
use super::schema::{Graph, Kind, Operator};

/// Maximum number of operators: four per layer of the largest model.
pub(super) const MAX_OPERATORS: usize = 4 * MAX_LAYERS;

/// Indices of the operators that give tensors.
pub(super) struct Givers(HashMap<i32, usize>);

impl Givers {
    pub(super) fn new(graph: Graph<'_>) -> Result<Self, ImportError> {
        let mut givers = HashMap::new();
        for index in 0..graph.operator_count() {
            givers.extend(graph.first_output(index)?.map(|output| (output, index)));
        }
        Ok(Givers(givers))
    }

    /// Returns whether a tensor is the LOGISTIC of another one.
    pub(super) fn is_logistic(
        &self,
        graph: Graph<'_>,
        tensor: i32,
        of: i32,
    ) -> Result<bool, ImportError> {
        let Some(index) = self.0.get(&tensor) else { return Ok(false) };
        let operator = graph.operator(*index)?;
        Ok(operator.kind == Kind::Logistic && operator.input(0) == Some(of))
    }
}

/// Returns the operators between input and output, in execution order.
///
/// Data is one input of each, see [`data_input`]. Other inputs are constants. The converter also writes operators
/// that only compute the shape for a RESHAPE (SHAPE, STRIDED_SLICE, PACK). They are not on the
/// path, and the shape of the output is known without them.
pub(super) fn path<'a>(
    graph: Graph<'a>,
    givers: &Givers,
) -> Result<Vec<Operator<'a>>, ImportError> {
    let mut path: Vec<Operator<'_>> = Vec::new();
    let mut at = graph.output;
    while at != graph.input {
        // An input from a later operator would be a cycle.
        let later = path.last().map_or(usize::MAX, |operator| operator.index);
        let Some(index) = givers.0.get(&at).copied().filter(|index| *index < later) else {
            return Err(match path.last() {
                None => ImportError::Output(at),
                Some(operator) if matches!(operator.kind, Kind::Other(_)) => {
                    operator.refuse(OperatorProblem::Unsupported)
                }
                Some(operator) => operator.refuse(OperatorProblem::NotAChain(at)),
            });
        };
        if path.len() == MAX_OPERATORS {
            return Err(ImportError::TooDeep { limit: MAX_OPERATORS });
        }
        let operator = graph.operator(index)?;
        at = data_input(graph, givers, &operator)?;
        path.push(operator);
    }
    path.reverse();
    Ok(path)
}

/// Returns the input with the data: the first one, unless it is a constant. SiLU is written as a product of its input and the
/// LOGISTIC of it, whose data is the former.
fn data_input(
    graph: Graph<'_>,
    givers: &Givers,
    operator: &Operator<'_>,
) -> Result<i32, ImportError> {
    let first = operator.input(0).unwrap_or(-1);
    if !operator.kind.is_arithmetic() || first < 0 {
        return Ok(first);
    }
    let second = operator.input(1).unwrap_or(-1);
    let is_second = graph.tensor(first)?.is_constant()
        || operator.kind == Kind::Mul && givers.is_logistic(graph, first, second)?;
    Ok(if is_second { second } else { first })
}
