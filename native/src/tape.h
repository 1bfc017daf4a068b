// What the machine runs: a plan (the tape) and the tensors of one call.
//
// Every buffer is a matrix of rows of `width` features. A slice of the batch has m rows; step s of
// a slice owns rows s*m .. s*m + m - 1 of a buffer that keeps its steps apart.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace recurra {

using Index = std::int64_t;

enum class Kind {
  Constant,  // one number
  Vector,    // (n,) of parameters: the same for every row
  Saved,     // kept by an earlier run: all T steps; a state's has T + 1, the entering ones first
  Tape,      // kept by this run: the steps of a block; a state's has one more
  Chunk,     // the steps of a chunk, scratch of one thread
  Row,       // one step, scratch of one thread
  Strip,     // a few rows, scratch of one thread: only within a run of pointwise instructions
};

// In groups by how many operands they take, those before Linear strip by strip. Python has their
// names from here (`op_names`), and the checker and the plans' writer go by the groups.
#define RECURRA_OPS(each)                                                                        \
  /* one operand */                                                                              \
  each(Copy) each(Neg) each(Abs) each(Sign) each(Exp) each(Expm1) each(Log) each(Log1p)          \
  each(Sqrt) each(Rsqrt) each(Reciprocal) each(Sin) each(Cos) each(Tanh) each(Sigmoid)           \
  each(Relu) each(Erf) each(Exp2) each(Log2) each(Log10) each(Tan) each(Asin) each(Acos)         \
  each(Atan) each(Sinh) each(Cosh) each(Asinh) each(Acosh) each(Atanh) each(Floor) each(Ceil)    \
  each(Trunc) each(Round) each(Zeros)                                                            \
  /* two; of the gradients a is that of the result b */                                          \
  each(Add) each(Sub) each(Mul) each(Div) each(Maximum) each(Minimum) each(Pow) each(Fmod)       \
  each(Remainder) each(Atan2) each(Logaddexp) each(Gt) each(Ge) each(Lt) each(Le) each(Eq)       \
  each(Ne) each(SigmoidGradient) each(TanhGradient)                                              \
  /* three */                                                                                    \
  each(Where) each(MulAdd)                                                                       \
  /* over a row's features; of a product a (MatmulTN) or b (MatmulNT) is stored transposed */    \
  each(Sum) each(Amax) each(Spread) each(Transpose) each(Matmul) each(MatmulTN) each(MatmulNT)   \
  /* with a matrix of parameters */                                                              \
  each(Linear) each(LinearT)                                                                     \
  /* between the caller's tensors and the machine's buffers */                                   \
  each(Load) each(Store)

enum class Op {
#define RECURRA_OP(Name) Name,
  RECURRA_OPS(RECURRA_OP)
#undef RECURRA_OP
};

constexpr int kPointwise = static_cast<int>(Op::Linear);  // those before it run strip by strip

inline bool is_matmul(Op op) { return op >= Op::Matmul && op <= Op::MatmulNT; }

struct Buffer {
  Kind kind;
  Index width;
  Index index = 0;     // which vector, saved or tape
  bool state = false;  // one slot more than steps
  double number = 0;
};

struct Operand {
  int buffer = -1;
  Index offset = 0;
  int shift = 0;  // 1: the slot after the step's own, only in a state's buffer
};

struct Instruction {
  Op op;
  Operand d, a, b, c;
  Index n = 0;    // features of the result (of what is stored)
  Index k = 0;    // products: terms of a sum; Sum, Amax, Spread: features of one group
  int matrix = 0; // Linear: which matrix
  int port = 0;   // Load, Store: which of the caller's tensors
  Index inner = 1;  // Sum, Amax, Spread, Transpose: features that lie together
  Index height = 1, width = 1;  // of one matrix: Transpose's operand, a product's result
  int constants = 0;  // which of two operands are constants, a bit each; `seal` finds it
};

struct SumOf {  // gradient[n, k] += Σ d ⊗ x over rows and steps; without x, gradient[n] += Σ d
  Operand d, x;
  Index n = 0, k = 0;
  int gradient = 0;
};

struct Plan {
  bool descending = false;
  std::vector<Buffer> buffers;
  std::vector<Instruction> parts[3];  // before, loop, after
  std::vector<SumOf> sums;
  std::vector<int> states;            // their buffers
  struct Matrix { Index n, k; };
  std::vector<Matrix> matrices;
  int vectors = 0, saved = 0, tapes = 0, loads = 0, stores = 0, gradients = 0;
  std::vector<Index> vector_sizes, gradient_sizes, load_sizes, store_sizes;
  bool sealed = false;
};

// A tensor of (T, B, n), (B, n), (n, k) or (n,): strides in elements.
template <class F>
struct Tensor {
  F* data = nullptr;
  Index stride[3] = {0, 0, 0};
};

template <class F>
struct Call {
  Index T = 0, B = 0, block = 0, threads = 1;
  bool reverse = false;
  std::vector<Index> bounds;              // slices: positions bounds[s] .. bounds[s + 1] - 1
  const Index* row_of = nullptr;          // (B,) the batch's row at each position, or none: itself
  const Index* length_of = nullptr;       // (B,) steps of each position, falling in a slice
  const Index* position_of = nullptr;     // (B,) positions in the order in which sums run
  std::vector<Tensor<const F>> loads, vectors, matrices, initial;
  std::vector<Tensor<F>> stores, final;
  std::vector<const F*> saved;
  std::vector<F*> tapes, gradients, fresh_gradients;
  std::vector<Tensor<const F>> fresh;
  const std::uint8_t* restart = nullptr;  // (T, B)
  Index restart_stride[2] = {0, 0};

  Index blocks() const { return T == 0 ? 0 : (T + block - 1) / block; }
};

struct Range {
  Index from, to;
};

// The steps of the i-th block to run.
template <class F> Range block_of(const Plan& plan, const Call<F>& call, Index i) {
  const Index b = plan.descending ? call.blocks() - 1 - i : i;
  const Index end = (b + 1) * call.block;
  return {b * call.block, end < call.T ? end : call.T};
}

struct PlanError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

void seal(Plan& plan);  // check.cpp: raises PlanError unless every instruction stays in bounds

template <class F>
void run(const Plan& plan, const Call<F>& call);  // machine.cpp

}  // namespace recurra
