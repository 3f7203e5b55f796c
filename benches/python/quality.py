"""How far a result is from a reference: lag, gain, and signal to noise."""

from __future__ import annotations

from typing import Any

import numpy as np


def compare(result: Any, reference: Any, rate: int, band_hz: float) -> dict[str, float]:
    """Lag of `result` in milliseconds (a part of a sample, too), its gain, and the signal-to-noise
    ratio in dB once both are undone: of everything, and of what lies below `band_hz`; and the
    greatest error of a sample below `band_hz`, in steps of 16 bits, which shows a fault of a moment
    or in a quiet part that drowns in a ratio."""
    size = min(len(result), len(reference), 1 << 22)
    a = np.asarray(reference[:size], dtype=np.float64)
    b = np.asarray(result[:size], dtype=np.float64)
    if size < rate or not a.any() or not b.any():
        return {
            "lag_ms": float("nan"),
            "gain": 0.0,
            "snr_db": -np.inf,
            "band_snr_db": -np.inf,
            "error": np.inf,
        }
    # Whole samples: the peak of the correlation.
    head = min(size, 1 << 18)
    spectrum = np.conj(np.fft.rfft(a[:head], 2 * head)) * np.fft.rfft(b[:head], 2 * head)
    lag = int(np.argmax(np.fft.irfft(spectrum)))
    lag = lag - 2 * head if lag > head else lag
    a, b = a[max(0, -lag) : size - max(0, lag)], b[max(0, lag) : size - max(0, -lag)]
    window = np.hanning(len(a))
    x, y = np.fft.rfft(a * window), np.fft.rfft(b * window)
    omega = np.linspace(0, np.pi, len(x))
    inside = omega < 2 * np.pi * band_hz / rate
    # The rest: the slope of the phase.
    cross = (np.conj(x) * y)[inside]
    weight, phase = np.abs(cross), np.angle(cross)
    slope = np.sum(weight * omega[inside] * phase) / np.sum(weight * omega[inside] ** 2)
    x = x * np.exp(1j * omega * slope)
    gain = float(np.sum(np.real(np.conj(x) * y)[inside]) / np.sum(np.abs(x[inside]) ** 2))
    signal, noise = np.abs(gain * x) ** 2, np.abs(y - gain * x) ** 2

    def ratio(what: Any) -> float:
        return float(10 * np.log10(signal[what].sum() / max(noise[what].sum(), 1e-30)))

    whole = np.fft.rfft(b) - gain * np.fft.rfft(a) * np.exp(1j * omega * slope)
    whole[~inside] = 0
    return {
        "lag_ms": (lag - slope) / rate * 1e3,
        "gain": gain,
        "snr_db": ratio(slice(None)),
        "band_snr_db": ratio(inside),
        "error": float(np.abs(np.fft.irfft(whole, len(a))).max() * 32768),
    }
