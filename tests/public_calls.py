"""One valid call of every public function, with all of its arguments, of any size.

For tests of what holds for all functions: errors, memory, threads, interrupts.
"""

import inspect
from importlib import import_module

import numpy as np

import fastconv as fc

NAMESPACES = ("", "signal", "ndimage", "nan", "exact", "nn", "probability")


def calls(n=12, seed=0):
    """Functions by name, each with arguments: images have n rows, lines n² elements."""
    rng = np.random.default_rng(seed)
    line, taps = rng.standard_normal(n * n), rng.standard_normal(7)
    image, weights = rng.standard_normal((n, n + 3)), rng.standard_normal((3, 4))
    small = rng.integers(0, 255, (n, n + 3)).astype("u1")
    whole, few = rng.integers(-(2**40), 2**40, n * n), rng.integers(-(2**30), 2**30, 9)
    hole = image.copy()
    hole[n // 2, 3] = np.nan

    table = {
        "convolve": dict(a=line, v=taps, mode="same"),
        "correlate": dict(a=image, v=weights, mode="same"),
        "Convolver": (convolver, dict(a=line, v=taps, mode="same", correlate=False, bank=False)),
        "Convolver.extremes": (
            convolver,
            dict(a=image, v=taps, mode="valid", correlate=True, bank=False, axes=1),
        ),
        "explain": dict(a=line, v=taps, mode="same", correlate=False),
        "error_bound": dict(a=line, v=taps, mode="same", correlate=False),
        "threads": (threads, dict(n=2)),
        "get_include": {},
        "get_num_threads": {},
        "show_config": dict(mode="dicts"),
    }
    for name in ("convolve", "correlate"):
        table[name] |= dict(boundary="wrap", cval=0.0, axes=None, method="direct", out=None, workers=None)
        table[name] |= dict(rtol=None)
    for name in ("explain", "error_bound", "Convolver", "Convolver.extremes"):
        options = table[name][1] if isinstance(table[name], tuple) else table[name]
        options |= dict(axes=options.get("axes"), boundary="reflect", cval=0.0, method="auto")
    table["explain"] |= dict(workers=1, rtol=None)

    table |= {
        "signal.convolve": dict(in1=line, in2=taps, mode="same", method="auto"),
        "signal.correlate": dict(in1=image, in2=weights, mode="valid", method="fft", maxlag=None),
        "signal.convolve2d": dict(in1=image, in2=weights, mode="full", boundary="symm", fillvalue=0),
        "signal.correlate2d": dict(in1=image, in2=weights, mode="same", boundary="wrap", fillvalue=1),
        "signal.choose_conv_method": dict(in1=line, in2=taps, mode="full", measure=False),
        "signal.correlation_lags": dict(in1_len=n, in2_len=3, mode="same"),
        "signal.fftconvolve": dict(in1=image, in2=weights, mode="same", axes=None),
        "signal.oaconvolve": dict(in1=line, in2=taps, mode="full", axes=0),
        "signal.lfilter": dict(b=taps, a=2.0, x=image, axis=1, zi=None),
        "signal.upfirdn": dict(h=taps, x=line, up=3, down=2, axis=-1, mode="symmetric", cval=0),
    }

    common = dict(output=None, mode="mirror", cval=1.0)
    keywords = dict(workers=None)
    table |= {
        "ndimage.convolve": dict(input=image, weights=weights, origin=0, axes=None),
        "ndimage.correlate": dict(input=small, weights=np.ones((3, 3), int), origin=(0, -1), axes=None),
        "ndimage.convolve1d": dict(input=image, weights=taps, axis=0, origin=1),
        "ndimage.correlate1d": dict(input=small, weights=taps, axis=1, origin=0),
        "ndimage.gaussian_filter": dict(input=small, sigma=(1.5, 2), order=0, truncate=3.0, radius=None),
        "ndimage.gaussian_filter1d": dict(input=image, sigma=1.5, axis=0, order=1, truncate=3.0, radius=None),
        "ndimage.gaussian_gradient_magnitude": dict(input=image, sigma=1.0, axes=None),
        "ndimage.gaussian_laplace": dict(input=image, sigma=1.0, axes=None),
        "ndimage.generic_laplace": dict(
            input=image, derivative2=second, extra_arguments=(), extra_keywords=None, axes=None
        ),
        "ndimage.generic_gradient_magnitude": dict(
            input=image, derivative=first, extra_arguments=(), extra_keywords=None, axes=None
        ),
        "ndimage.laplace": dict(input=image, axes=None),
        "ndimage.prewitt": dict(input=small, axis=0),
        "ndimage.scharr": dict(input=image, axis=1),
        "ndimage.sobel": dict(input=small, axis=1),
        "ndimage.sep_filter": dict(input=image, kernels=[taps, taps[:3]], origin=0, axes=None),
        "ndimage.uniform_filter": dict(input=small, size=(3, 5), origin=0, axes=None),
        "ndimage.uniform_filter1d": dict(input=image, size=4, axis=1, origin=1),
        "ndimage.unsharp_mask": dict(input=image, sigma=1.0, amount=0.5, truncate=3.0, axes=None),
    }
    for name in table:
        if name.startswith("ndimage."):
            table[name] |= common | ({} if "generic" in name else keywords)

    table |= {
        "nan.convolve": dict(
            array=hole, kernel=np.ones((3, 3)), boundary="fill", fill_value=0.0, nan_treatment="interpolate",
            normalize_kernel=True, mask=None, preserve_nan=False, normalization_zero_tol=1e-8, out=None,
            workers=None,
        ),
        "exact.convolve": dict(a=whole, b=few, mode="full"),
        "exact.correlate": dict(a=whole, b=few, mode="same"),
    }  # fmt: skip
    for name in ("exact.convolve", "exact.correlate"):
        table[name] |= dict(axes=None, boundary="wrap", cval=0, overflow="object", workers=None)

    table |= layers(rng, n)
    die, coin = np.full(6, 1 / 6), [0.5, 0.5]
    grid = np.linspace(0, 1, n + 1)
    long = rng.random(n * n) / n
    table |= {
        "probability.pmf_sum": (pmf_sum, dict(f=long, g=die, rtol=1e-10, exact=False)),
        "probability.pmf_difference": dict(f=die, g=coin, rtol=1e-10, exact=False, truncate=None),
        "probability.pmf_power": dict(f=die, n=2 * n, rtol=1e-10, exact=False, truncate=None),
        "probability.compound": dict(count=long[:n], f=die, rtol=1e-10, truncate=None),
        "probability.mixture": dict(pmfs=[die, coin], weights=coin),
        "probability.poisson_binomial": dict(p=rng.random(n), rtol=1e-10),
        "probability.support_sum": dict(x=[0.1, 0.3], p=coin, y=[0.2, 0], q=coin),
        "probability.pdf_sum": dict(f=grid, g=np.ones(n + 1), grid=grid, order=4, rtol=1e-10),
        "probability.PMF": (pmf, dict(values=die, offset=1, step=1, log=False, n=3, x=4)),
    }
    for name, options in table.items():
        if name.startswith("probability.") and "p" not in options and isinstance(options, dict):
            if "grid" not in options:
                options |= dict(log=False)

    found = {}
    for name, call in table.items():
        space, _, word = name.split(".extremes")[0].rpartition(".")
        if space_of(space) is not None:
            function, options = call if isinstance(call, tuple) else (getattr(space_of(space), word), call)
            found[name] = function, options
    return found


def layers(rng, n):
    """Those of fastconv.nn, of 1, 2 and 3 axes."""
    table = {}
    for rank in (1, 2, 3):
        size = (n, n + 1, 4)[:rank]
        x, w = rng.standard_normal((2, 4, *size)), rng.standard_normal((6, 2, *[3] * rank))
        turned = rng.standard_normal((4, 3, *[3] * rank))
        y = rng.standard_normal((2, 6, *size))
        options = dict(stride=1, padding=1, dilation=1, groups=2)
        extras = dict(layout="NCHW", out=None, workers=None)
        bias = rng.standard_normal(6)
        table |= {
            f"nn.conv{rank}d": dict(input=x, weight=w, bias=bias, padding_mode="reflect", algorithm="auto"),
            f"nn.Conv{rank}d": (layer(rank), dict(input=x, weight=w, bias=bias, padding_mode="zeros")),
            f"nn.conv{rank}d_input": dict(input_size=x.shape, weight=w, grad_output=y),
            f"nn.conv{rank}d_weight": dict(input=x, weight_size=w.shape, grad_output=y),
            f"nn.conv_transpose{rank}d": dict(input=x, weight=turned, bias=bias, output_padding=0),
            f"nn.conv_transpose{rank}d_input": dict(input_size=x.shape, weight=turned, grad_output=y),
            f"nn.conv_transpose{rank}d_weight": dict(input=x, weight_size=turned.shape, grad_output=y),
        }
        for name in table:
            if name.startswith("nn.") and f"{rank}d" in name:
                found = table[name][1] if isinstance(table[name], tuple) else table[name]
                found |= options | extras
        if rank == 2:
            table["nn.explain"] = dict(input=x, weight=w, prepared=False) | options
            bytes_, few = (rng.integers(-9, 9, a.shape).astype("i1") for a in (x, w))
            table["nn.conv_integer"] = dict(x=bytes_, w=few, x_zero_point=1, w_zero_point=0) | options
            table["nn.conv_integer"] |= dict(workers=None)
            table["nn.qlinear_conv"] = options | dict(
                x=bytes_, x_scale=0.5, x_zero_point=1, w=few, w_scale=0.25, w_zero_point=0, y_scale=2.0,
                y_zero_point=3, bias=np.arange(6, dtype="i4"), workers=None,
            )  # fmt: skip
            for function, name in (("conv_integer", "ConvInteger"), ("qlinear_conv", "QLinearConv")):
                table[f"nn.{name}"] = (prepared(name), dict(table[f"nn.{function}"]))
    return table


def space_of(name):
    """A namespace, or None if there is none of this name."""
    try:
        return import_module(f"fastconv.{name}" if name else "fastconv")
    except ModuleNotFoundError:
        return None


def public():
    """The names of all public functions and of the classes that compute."""
    for space in NAMESPACES:
        module = space_of(space)
        for word in getattr(module, "__all__", ()):
            thing = getattr(module, word)
            if callable(thing) and not (inspect.isclass(thing) and issubclass(thing, tuple)):
                yield f"{space}.{word}".lstrip(".")


def convolver(a, **options):
    prepared = fc.Convolver(**options)
    return prepared(a), prepared.explain(a)


def threads(n):
    with fc.threads(n):
        return fc.get_num_threads()


def first(input, axis, output, mode, cval, *arguments, **keywords):
    return space_of("ndimage").correlate1d(input, [-1, 0, 1], axis, output, mode, cval)


def second(input, axis, output, mode, cval, *arguments, **keywords):
    return space_of("ndimage").correlate1d(input, [1, -2, 1], axis, output, mode, cval)


def layer(rank):
    def call(input, out=None, workers=None, **options):
        made = getattr(space_of("nn"), f"Conv{rank}d")(**options)
        return made(input, out=out, workers=workers)

    return call


def prepared(name):
    def call(x, workers=None, **options):
        return getattr(space_of("nn"), name)(**options)(x, workers=workers)

    return call


def pmf_sum(f, g, **options):
    return space_of("probability").pmf_sum(f, g, **options)


def pmf(n, x, **options):
    made = space_of("probability").PMF(**options)
    more = made * n + made - made
    return more.cdf(x), more.sf(x), more.quantile(0.5), more.mean, more.var, more.bounds


def bits(result):
    """What two results are compared by: every bit of their numbers; nothing of estimates and settings."""
    if isinstance(result, np.ndarray) and result.dtype != object:
        return result.shape, result.dtype.str, result.tobytes()
    if isinstance(result, np.ndarray):
        return result.shape, result.tolist()
    if isinstance(result, tuple) and type(result).__name__ != "Explanation":
        return tuple(bits(part) for part in result)
    return repr(result) if isinstance(result, (bool, int, float, str)) else None
