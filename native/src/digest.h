// A digest of some bytes. Included by kernels.cpp only, inside an unnamed namespace.
//
// Each lane of four chains is a hash of its own, and all of them together are the digest: one
// number that is changed always changes its lane, many that are changed leave it with a chance of
// 2^-32 for each of their lanes. Four vectors are added up, each turned by other bits, before one
// multiplication: then it takes no longer than reading the bytes does.

constexpr int kChains = 4, kTaken = 4;
static_assert(kChains * kBytes <= kDigestWords * sizeof(std::uint32_t));
typedef std::uint32_t Words __attribute__((vector_size(kBytes)));
typedef std::uint32_t LooseWords __attribute__((vector_size(kBytes), aligned(1), may_alias));

template <int Bits> inline Words turned(Words w) { return w << Bits | w >> (32 - Bits); }

inline Words load_words(const char* p) { return *reinterpret_cast<const LooseWords*>(p); }

inline void digest_block(Words* chains, const char* p) {
#pragma GCC unroll 4
  for (int c = 0; c < kChains; ++c, p += kTaken * kBytes) {
    const Words sum = load_words(p) + turned<7>(load_words(p + kBytes)) +
                      turned<14>(load_words(p + 2 * kBytes)) +
                      turned<21>(load_words(p + 3 * kBytes));
    chains[c] = turned<13>((chains[c] ^ sum) * 2654435761u);
  }
}

inline void digest(std::uint32_t* out, const char* p, Index bytes) {
  constexpr Index block = kChains * kTaken * kBytes;
  Words chains[kChains] = {};
  for (; bytes >= block; bytes -= block, p += block) digest_block(chains, p);
  if (bytes) {
    char rest[block] = {};
    std::memcpy(rest, p, bytes);
    digest_block(chains, rest);
  }
  std::memcpy(out, chains, sizeof chains);
}
