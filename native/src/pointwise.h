// Pointwise instructions. Included by kernels.cpp only.

#define RECURRA_UNARY(Name, expression) \
  struct Name {                         \
    template <class F> static inline V<F> of(V<F> a) { return expression; } \
  };
RECURRA_UNARY(Copy, a)
RECURRA_UNARY(Neg, -a)
RECURRA_UNARY(Abs, absolute<F>(a))
RECURRA_UNARY(Sign, select<F>(a > F(0), splat<F>(1), select<F>(a < F(0), splat<F>(-1), splat<F>(0))))
RECURRA_UNARY(Exp, exponential<F>(a))
RECURRA_UNARY(Exp2, power_of_two_of<F>(a))
RECURRA_UNARY(Expm1, exponential_less_one<F>(a))
RECURRA_UNARY(Log, logarithm<F>(a))
RECURRA_UNARY(Log2, logarithm_2<F>(a))
RECURRA_UNARY(Log10, logarithm_10<F>(a))
RECURRA_UNARY(Log1p, logarithm_1p<F>(a))
RECURRA_UNARY(Sqrt, square_root(a))
RECURRA_UNARY(Rsqrt, F(1) / square_root(a))
RECURRA_UNARY(Reciprocal, F(1) / a)
RECURRA_UNARY(Sin, sine<F>(a))
RECURRA_UNARY(Cos, cosine<F>(a))
RECURRA_UNARY(Tan, tangent<F>(a))
RECURRA_UNARY(Asin, arc_sine<F>(a))
RECURRA_UNARY(Acos, arc_cosine<F>(a))
RECURRA_UNARY(Atan, arc_tangent<F>(a))
RECURRA_UNARY(Sinh, hyperbolic_sine<F>(a))
RECURRA_UNARY(Cosh, hyperbolic_cosine<F>(a))
RECURRA_UNARY(Tanh, hyperbolic_tangent<F>(a))
RECURRA_UNARY(Asinh, inverse_hyperbolic_sine<F>(a))
RECURRA_UNARY(Acosh, inverse_hyperbolic_cosine<F>(a))
RECURRA_UNARY(Atanh, inverse_hyperbolic_tangent<F>(a))
RECURRA_UNARY(Sigmoid, logistic<F>(a))
RECURRA_UNARY(Relu, select<F>(a < F(0), splat<F>(0), a))
RECURRA_UNARY(Erf, error_function<F>(a))
RECURRA_UNARY(Floor, floored<F>(a))
RECURRA_UNARY(Ceil, raised<F>(a))
RECURRA_UNARY(Trunc, truncated<F>(a))
RECURRA_UNARY(Round, rounded<F>(a))
RECURRA_UNARY(Zeros, a* F(0))
#undef RECURRA_UNARY

#define RECURRA_BINARY(Name, expression) \
  struct Name {                          \
    template <class F> static inline V<F> of(V<F> a, V<F> b) { return expression; } \
  };
#define RECURRA_COMPARISON(Name, relation) \
  RECURRA_BINARY(Name, select<F>(a relation b, splat<F>(1), splat<F>(0)))
RECURRA_BINARY(Add, a + b)
RECURRA_BINARY(Sub, a - b)
RECURRA_BINARY(Mul, a* b)
RECURRA_BINARY(Div, a / b)
RECURRA_BINARY(Maximum, select<F>(a != a, a, select<F>(a > b, a, b)))
RECURRA_BINARY(Minimum, select<F>(a != a, a, select<F>(a < b, a, b)))
RECURRA_BINARY(SigmoidGradient, a*((F(1) - b) * b))
RECURRA_BINARY(TanhGradient, a*(F(1) - b * b))
RECURRA_BINARY(Pow, power(a, b))
RECURRA_BINARY(Fmod, left_of_division<F>(a, b))
RECURRA_BINARY(Remainder, remainder_of<F>(a, b))
RECURRA_BINARY(Atan2, arc_tangent_2<F>(a, b))
RECURRA_BINARY(Logaddexp, logarithm_of_sum<F>(a, b))
RECURRA_COMPARISON(Gt, >)
RECURRA_COMPARISON(Ge, >=)
RECURRA_COMPARISON(Lt, <)
RECURRA_COMPARISON(Le, <=)
RECURRA_COMPARISON(Eq, ==)
RECURRA_COMPARISON(Ne, !=)
#undef RECURRA_COMPARISON
#undef RECURRA_BINARY
// Rows that lie one behind the other are one long row.
template <class F> inline Strip<F> flat(const Strip<F>& s, bool a, bool b, bool c) {
  bool one = s.ds == s.n && (!a || s.as == s.n) && (!b || s.bs == s.n) && (!c || s.cs == s.n);
  Strip<F> f = s;
  if (one) f.n = s.n * s.rows, f.rows = 1;
  return f;
}

template <bool Constant, class F> inline V<F> fetch(const F* p, Index j) {
  return Constant ? splat(*p) : load(p + j);
}
template <bool Constant, class F> inline V<F> fetch_first(const F* p, Index j, Index count) {
  return Constant ? splat(*p) : load_first(p + j, count);
}

template <class F, class Function> void unary(const Strip<F>& strip) {
  const Strip<F> s = flat(strip, true, false, false);
  constexpr Index L = kLanes<F>;
  for (Index r = 0; r < s.rows; ++r) {
    F* d = s.d + r * s.ds;
    const F* a = s.a + r * s.as;
    Index j = 0;
    for (; j + L <= s.n; j += L) store(d + j, Function::template of<F>(load(a + j)));
    if (j < s.n) store_first(d + j, Function::template of<F>(load_first(a + j, s.n - j)), s.n - j);
  }
}

template <class F> void zeros(const Strip<F>& s) {
  for (Index r = 0; r < s.rows; ++r)
    for (Index j = 0; j < s.n; ++j) s.d[r * s.ds + j] = 0;
}

template <class F, class Function, int Constants> void binary(const Strip<F>& strip) {
  constexpr bool ca = Constants & 1, cb = Constants & 2;
  const Strip<F> s = flat(strip, !ca, !cb, false);
  constexpr Index L = kLanes<F>;
  for (Index r = 0; r < s.rows; ++r) {
    F* d = s.d + r * s.ds;
    const F *a = s.a + r * s.as, *b = s.b + r * s.bs;
    Index j = 0;
    for (; j + L <= s.n; j += L)
      store(d + j, Function::template of<F>(fetch<ca>(a, j), fetch<cb>(b, j)));
    if (Index rest = s.n - j)
      store_first(
          d + j,
          Function::template of<F>(fetch_first<ca>(a, j, rest), fetch_first<cb>(b, j, rest)), rest);
  }
}

template <class F, int Constants> void where(const Strip<F>& strip) {
  constexpr bool cb = Constants & 1, cc = Constants & 2;
  const Strip<F> s = flat(strip, true, !cb, !cc);
  constexpr Index L = kLanes<F>;
  for (Index r = 0; r < s.rows; ++r) {
    F* d = s.d + r * s.ds;
    const F *a = s.a + r * s.as, *b = s.b + r * s.bs, *c = s.c + r * s.cs;
    Index j = 0;
    for (; j + L <= s.n; j += L)
      store(d + j, select<F>(load(a + j) != F(0), fetch<cb>(b, j), fetch<cc>(c, j)));
    if (Index rest = s.n - j)
      store_first(d + j,
                  select<F>(load_first(a + j, rest) != F(0), fetch_first<cb>(b, j, rest),
                            fetch_first<cc>(c, j, rest)),
                  rest);
  }
}

template <class F> void mul_add(const Strip<F>& strip) {
  const Strip<F> s = flat(strip, true, true, true);
  constexpr Index L = kLanes<F>;
  for (Index r = 0; r < s.rows; ++r) {
    F* d = s.d + r * s.ds;
    const F *a = s.a + r * s.as, *b = s.b + r * s.bs, *c = s.c + r * s.cs;
    Index j = 0;
    for (; j + L <= s.n; j += L) store(d + j, load(a + j) * load(b + j) + load(c + j));
    if (Index rest = s.n - j)
      store_first(d + j,
                  load_first(a + j, rest) * load_first(b + j, rest) + load_first(c + j, rest), rest);
  }
}
