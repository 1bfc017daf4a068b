// Compiled once for each instruction set, with its flags and RECURRA_ISA naming it.

#include "kernels.h"

#include <cstring>
#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define RECURRA_TEXT_(x) #x
#define RECURRA_TEXT(x) RECURRA_TEXT_(x)
#define RECURRA_JOIN_(a, b) a##b
#define RECURRA_JOIN(a, b) RECURRA_JOIN_(a, b)

namespace recurra {
namespace {

#include "simd.h"
#include "mathematics.h"
#include "logarithms.h"
#include "angles.h"
#include "rounding.h"
#include "pointwise.h"
#include "blocks.h"
#include "products.h"
#include "digest.h"

template <class F> struct Table : Kernels<F> {
  template <class Function> constexpr void one(Op op) {
    for (auto& each : this->pointwise[static_cast<int>(op)]) each = unary<F, Function>;
  }
  template <class Function> constexpr void two(Op op) {
    auto& row = this->pointwise[static_cast<int>(op)];
    row[0] = binary<F, Function, 0>;
    row[1] = binary<F, Function, 1>;
    row[2] = binary<F, Function, 2>;
    row[3] = binary<F, Function, 3>;
  }
  constexpr void other(Op op, typename Kernels<F>::Pointwise function) {
    for (auto& each : this->pointwise[static_cast<int>(op)]) each = function;
  }
  constexpr Table() : Kernels<F>() {
    this->name = RECURRA_TEXT(RECURRA_ISA);
    this->panel = kPanel<F>;
    this->tile = kTile;
    one<Copy>(Op::Copy); one<Neg>(Op::Neg); one<Abs>(Op::Abs); one<Sign>(Op::Sign);
    one<Exp>(Op::Exp); one<Expm1>(Op::Expm1); one<Log>(Op::Log); one<Log1p>(Op::Log1p);
    one<Sqrt>(Op::Sqrt); one<Rsqrt>(Op::Rsqrt); one<Reciprocal>(Op::Reciprocal);
    one<Sin>(Op::Sin); one<Cos>(Op::Cos); one<Tanh>(Op::Tanh); one<Sigmoid>(Op::Sigmoid);
    one<Relu>(Op::Relu); one<Erf>(Op::Erf);
    one<Exp2>(Op::Exp2); one<Log2>(Op::Log2); one<Log10>(Op::Log10); one<Tan>(Op::Tan);
    one<Asin>(Op::Asin); one<Acos>(Op::Acos); one<Atan>(Op::Atan); one<Sinh>(Op::Sinh);
    one<Cosh>(Op::Cosh); one<Asinh>(Op::Asinh); one<Acosh>(Op::Acosh); one<Atanh>(Op::Atanh);
    one<Floor>(Op::Floor); one<Ceil>(Op::Ceil); one<Trunc>(Op::Trunc); one<Round>(Op::Round);
    two<Add>(Op::Add); two<Sub>(Op::Sub); two<Mul>(Op::Mul); two<Div>(Op::Div);
    two<Maximum>(Op::Maximum); two<Minimum>(Op::Minimum); two<Pow>(Op::Pow);
    two<Fmod>(Op::Fmod); two<Remainder>(Op::Remainder); two<Atan2>(Op::Atan2);
    two<Logaddexp>(Op::Logaddexp);
    two<Gt>(Op::Gt); two<Ge>(Op::Ge); two<Lt>(Op::Lt); two<Le>(Op::Le); two<Eq>(Op::Eq);
    two<Ne>(Op::Ne);
    two<SigmoidGradient>(Op::SigmoidGradient); two<TanhGradient>(Op::TanhGradient);
    auto& choices = this->pointwise[static_cast<int>(Op::Where)];
    choices[0] = where<F, 0>; choices[1] = where<F, 1>;
    choices[2] = where<F, 2>; choices[3] = where<F, 3>;
    other(Op::MulAdd, mul_add<F>);
    other(Op::Zeros, zeros<F>); other(Op::Sum, sum<F>); other(Op::Amax, amax<F>);
    other(Op::Spread, spread<F>); other(Op::Transpose, transposed<F>);
    other(Op::Matmul, matmul<F, false>); other(Op::MatmulTN, matmul<F, true>);
    other(Op::MatmulNT, matmul_turned<F>);
    this->pack = recurra::pack<F>;
    this->product = recurra::product<F>;
    this->outer = recurra::outer<F>;
    this->total = recurra::total<F>;
    this->outer_scratch = recurra::outer_scratch<F>;
    this->digest = recurra::digest;
    this->multiply_add = recurra::multiply_add<F>;
  }
};

constexpr Table<float> kFloat{};
constexpr Table<double> kDouble{};

}  // namespace

extern const Kernels<float>& RECURRA_JOIN(float_kernels_, RECURRA_ISA);
extern const Kernels<double>& RECURRA_JOIN(double_kernels_, RECURRA_ISA);
const Kernels<float>& RECURRA_JOIN(float_kernels_, RECURRA_ISA) = kFloat;
const Kernels<double>& RECURRA_JOIN(double_kernels_, RECURRA_ISA) = kDouble;

}  // namespace recurra
