// Whole numbers and remainders. Included by kernels.cpp only, behind mathematics.h. All are exact.

template <class F> inline V<F> rounded(V<F> x) {  // halves to the even one
  const F up = Logarithm<F>::kUp;                 // from there on all numbers are whole
  const V<F> a = absolute<F>(x);
  return signed_as<F>(select<F>(a < up, (a + up) - up, a), x);
}
template <class F> inline V<F> truncated(V<F> x) {
  const V<F> a = absolute<F>(x), near = rounded<F>(a);
  return signed_as<F>(select<F>(near > a, near - F(1), near), x);
}
template <class F> inline V<F> floored(V<F> x) {
  const V<F> near = rounded<F>(x);
  return select<F>(near > x, near - F(1), near);
}
template <class F> inline V<F> raised(V<F> x) {  // -0 for what is above -1 and below 0
  const V<F> near = rounded<F>(x);
  return signed_as<F>(absolute<F>(select<F>(near < x, near + F(1), near)), x);
}

// What is left of a >= 0 by b > 0, when a / b is a whole number and a fraction within their digits.
inline V<double> left_over(V<double> a, V<double> b) {
  V<double> r = fused(-truncated<double>(a / b), b, a);  // the quotient is right or 1 too many
  return select<double>(r < 0.0, r + b, r);
}
inline V<float> left_over(V<float> a, V<float> b) {
  const Pair x = widen(a), y = widen(b);  // quotient times divisor has no more than 53 bits
  return narrow({left_over(x.low, y.low), left_over(x.high, y.high)});
}

inline float libm_fmod(float a, float b) { return __builtin_fmodf(a, b); }
inline double libm_fmod(double a, double b) { return __builtin_fmod(a, b); }

template <class F> inline V<F> left_of_division(V<F> a, V<F> b) {  // fmod: the sign of a
  const V<F> n = absolute<F>(a), d = absolute<F>(b);
  const bool exact = sizeof(F) == 4 || kFused;
  const F most = sizeof(F) == 4 ? F(1 << 28) : F(Logarithm<F>::kUp / 2);
  const M<F> plain = (n < most * d) & (d < F(__builtin_inf()));  // neither zeros nor NaN
  V<F> r = exact ? signed_as<F>(left_over(n, d), a) : a;
  if (exact && !any(~plain)) return r;
  const V<F> slow = by_lane<F>(a, b, [](F x, F y) { return libm_fmod(x, y); });
  return exact ? select<F>(plain, r, slow) : slow;
}

template <class F> inline V<F> remainder_of(V<F> a, V<F> b) {  // the sign of b
  const V<F> r = left_of_division<F>(a, b);
  const M<F> other = (r != F(0)) & ((r < F(0)) ^ (b < F(0)));
  return select<F>(other, r + b, r);
}
