// Which instruction set is in use.

#include <atomic>

#include "kernels.h"

namespace recurra {

#define RECURRA_DECLARE(isa)                              \
  extern const Kernels<float>& float_kernels_##isa;       \
  extern const Kernels<double>& double_kernels_##isa;
#if defined(__x86_64__)
RECURRA_DECLARE(sse2)
RECURRA_DECLARE(avx2)
RECURRA_DECLARE(avx512)
#elif defined(__aarch64__)
RECURRA_DECLARE(neon)
#else
RECURRA_DECLARE(baseline)
#endif
#undef RECURRA_DECLARE

namespace {

struct Choice {
  const Kernels<float>* floats;
  const Kernels<double>* doubles;
};

std::vector<Choice> choices() {
  std::vector<Choice> all;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool v4 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  if (v4) all.push_back({&float_kernels_avx512, &double_kernels_avx512});
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    all.push_back({&float_kernels_avx2, &double_kernels_avx2});
  all.push_back({&float_kernels_sse2, &double_kernels_sse2});
#elif defined(__aarch64__)
  all.push_back({&float_kernels_neon, &double_kernels_neon});
#else
  all.push_back({&float_kernels_baseline, &double_kernels_baseline});
#endif
  return all;
}

const std::vector<Choice>& every() {
  static const std::vector<Choice> all = choices();
  return all;
}

std::atomic<std::size_t> chosen{0};

}  // namespace

template <> const Kernels<float>& kernels<float>() { return *every()[chosen].floats; }
template <> const Kernels<double>& kernels<double>() { return *every()[chosen].doubles; }

const char* simd() { return kernels<float>().name; }

std::vector<std::string> simd_choices() {
  std::vector<std::string> names;
  for (const Choice& each : every()) names.emplace_back(each.floats->name);
  return names;
}

void use_simd(const std::string& name) {
  for (std::size_t i = 0; i < every().size(); ++i)
    if (name == every()[i].floats->name) {
      chosen = i;
      return;
    }
  throw PlanError("this processor or build has no instruction set '" + name + "'");
}

}  // namespace recurra
