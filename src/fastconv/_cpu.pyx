"""Which instruction sets may this process use, and which compiler built us?

Asks CPUID and, for the registers the operating system saves, XGETBV. Which kernels were built, and which of
them to take, is left to _kernels. Built without -march: this module must run on every processor.
"""

cdef extern from *:
    r"""
    #if defined(__clang__)
      #define FC_COMPILER "clang " __clang_version__
    #elif defined(__GNUC__)
      #define FC_COMPILER "gcc " __VERSION__
    #elif defined(_MSC_VER)
      #define FC_STRING_(x) #x
      #define FC_STRING(x) FC_STRING_(x)
      #define FC_COMPILER "MSVC " FC_STRING(_MSC_FULL_VER)
    #else
      #define FC_COMPILER "unknown"
    #endif

    #if defined(__aarch64__) || defined(_M_ARM64)
      #define FC_ARM64 1
    #else
      #define FC_ARM64 0
    #endif

    #if defined(__x86_64__) || (defined(_M_X64) && !defined(_M_ARM64EC))
    #define FC_X86_64 1
    #include <stdint.h>
    enum { EAX, EBX, ECX, EDX };
    #if defined(_MSC_VER)
      #include <intrin.h>
      static void fc_cpuid(uint32_t leaf, uint32_t r[4]) {
          int v[4];
          __cpuidex(v, (int)leaf, 0);
          for (int i = 0; i < 4; i++) r[i] = (uint32_t)v[i];
      }
      static uint64_t fc_saved_registers(void) { return _xgetbv(0); }
    #else
      #include <cpuid.h>
      static void fc_cpuid(uint32_t leaf, uint32_t r[4]) { __cpuid_count(leaf, 0, r[EAX], r[EBX], r[ECX], r[EDX]); }
      static uint64_t fc_saved_registers(void) {
          uint32_t low, high;
          __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
          return (uint64_t)high << 32 | low;
      }
    #endif
    #define BIT(n) (1u << (n))
    #define HAS(word, bits) (((word) & (bits)) == (bits))

    /* The psABI level x86-64-v<n>, and what of it the operating system allows. */
    static int fc_x86_level(void) {
        uint32_t r[4], last, last_ext, c1, b7 = 0, c_ext = 0;
        uint64_t saved;
        fc_cpuid(0, r); last = r[EAX];
        fc_cpuid(0x80000000u, r); last_ext = r[EAX];
        fc_cpuid(1, r); c1 = r[ECX];
        if (last >= 7) { fc_cpuid(7, r); b7 = r[EBX]; }
        if (last_ext >= 0x80000001u) { fc_cpuid(0x80000001u, r); c_ext = r[ECX]; }

        /* SSE3 SSSE3 CMPXCHG16B SSE4.1 SSE4.2 POPCNT; LAHF */
        if (!HAS(c1, BIT(0) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(23)) || !HAS(c_ext, BIT(0)))
            return 1;
        /* FMA MOVBE OSXSAVE AVX F16C; BMI1 AVX2 BMI2; LZCNT */
        if (!HAS(c1, BIT(12) | BIT(22) | BIT(27) | BIT(28) | BIT(29)) ||
            !HAS(b7, BIT(3) | BIT(5) | BIT(8)) || !HAS(c_ext, BIT(5)))
            return 2;
        saved = fc_saved_registers();
        if (!HAS(saved, 0x06))              /* xmm, ymm */
            return 2;
        /* AVX-512 F DQ CD BW VL; opmask and zmm registers */
        if (!HAS(b7, BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31)) || !HAS(saved, 0xe6))
            return 3;
        return 4;
    }

    /* AVX-512 VNNI, on a processor of level 4 */
    static int fc_x86_vnni(void) {
        uint32_t r[4];
        if (fc_x86_level() < 4) return 0;
        fc_cpuid(7, r);
        return HAS(r[ECX], BIT(11));
    }
    /* AMX with bfloat16 and bytes, on a processor with VNNI, where the kernel lets this process use the registers of tiles:
       Linux grants them on request. */
    #if defined(__linux__)
    #include <sys/syscall.h>
    #include <unistd.h>
    static int fc_x86_amx(void) {
        enum { ARCH_REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18 };
        uint32_t r[4];
        if (!fc_x86_vnni()) return 0;
        fc_cpuid(7, r);                     /* AMX-BF16 AMX-TILE AMX-INT8 */
        return HAS(r[EDX], BIT(22) | BIT(24) | BIT(25)) && HAS(fc_saved_registers(), 0x60000) &&
            syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA) == 0;
    }
    #else
    static int fc_x86_amx(void) { return 0; }
    #endif
    #else
    #define FC_X86_64 0
    static int fc_x86_level(void) { return 0; }
    static int fc_x86_vnni(void) { return 0; }
    static int fc_x86_amx(void) { return 0; }
    #endif
    """
    const char* FC_COMPILER
    bint FC_ARM64
    bint FC_X86_64
    int fc_x86_level()
    bint fc_x86_vnni()
    bint fc_x86_amx()

compiler = FC_COMPILER.decode()
x86_level = fc_x86_level()


def supported_isas():
    """Names of the kernel modules this processor can run, best first.

    "baseline" is whatever the compiler takes for granted: it closes every list, built or not.
    """
    names = ["x86_amx"] if fc_x86_amx() else []
    names += ["x86_vnni"] if fc_x86_vnni() else []
    names += [f"x86_v{level}" for level in range(x86_level, 1, -1)]
    if FC_ARM64:
        names.append("neon")
    return [*names, "baseline"]
