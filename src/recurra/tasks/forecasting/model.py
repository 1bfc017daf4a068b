"""How a forecaster learns and answers, in windows: what `Forecaster` and `backtest` stand on."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.data.series.series_set import SeriesSet
from recurra.data.series.windows import WindowBatch, WindowBatches, Windows
from recurra.errors import ArgumentError
from recurra.networks.forecaster import DECODERS, ForecastNetwork
from recurra.networks.heads import build_head, check_levels
from recurra.tasks.estimator import SequenceEstimator, seeded
from recurra.tasks.forecasting.conformal import conformal_shifts, shifted
from recurra.tasks.forecasting.fitting import (
    judge_series,
    mean_errors,
    read_rows,
    row_baselines,
    row_state,
    series_ends,
    series_state,
)
from recurra.tasks.forecasting.forecast import between, middle_grid
from recurra.tasks.forecasting.state import ForecastState
from recurra.tasks.forecasting.transforms import check_transform, inverse
from recurra.tasks.forecasting.windows import cut_windows, row_windows, scale_back
from recurra.tasks.parameters import check_numbers

Numbers = NDArray[np.float64]
Ends = Sequence[NDArray[np.int64]]
_AT_ONCE = 1024  # windows in prediction


@dataclass(eq=False, repr=False)
class ForecastModel(SequenceEstimator):
    """The parameters of a `Forecaster`, which says what they mean, and what is done with them."""

    hidden_size: int = 32
    _: KW_ONLY
    dropout: float = 0.1
    epochs: int = 60
    learning_rate: float = 5e-3
    weight_decay: float = 0.01
    validation_fraction: float = 0.2
    patience: int | None = 10
    horizon: int = 1
    window: int = 32
    decoder: str = "direct"
    head: str = "quantile"
    quantiles: Sequence[float] = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)
    series_transform: str = "none"
    point: str = "median"
    calibrate: bool = True
    series_features: int = 0
    autoregressive: bool = True
    seasonality: int = 1

    def fit_series(self, series: SeriesSet) -> Self:
        """Learn series, the last part of each held out."""
        train_ends, valid_ends, cuts = series_ends(
            series, self.window, self.horizon, self.series_transform, self.validation_fraction
        )
        self.state_ = series_state(series, cuts, self.window, self.horizon, self.series_transform)
        self._keep_features(self.state_.columns)
        train = cut_windows(self.state_, series, train_ends, self.series_transform, targets=True)
        valid = cut_windows(self.state_, series, valid_ends, self.series_transform, targets=True)
        self._learn(train, valid)
        self.state_.remember(series)
        judged = valid_ends if len(valid) else train_ends
        point, _ = self.walk(series, judged)
        self.state_.scores = judge_series(series, judged, point, self.seasonality)
        return self

    def fit_rows(self, X: Any, y: Any, sample_weight: Any) -> Self:
        """Learn rows and what follows each, a share of them held out."""
        inputs, examples, flat = read_rows(X, y, sample_weight)
        seed = self._seed()
        parts = examples.distinct(seed).split(self.validation_fraction, seed)
        self.state_ = row_state(inputs, parts[0], flat, self.series_transform)
        self._keep_features(self.state_.columns)
        train, valid = (self._windows_of(part.inputs, part) for part in parts)
        self._learn(train, valid, seed)
        judged = parts[1] if len(valid) else parts[0]
        point, _ = self.answer_rows(judged.inputs)
        targets = np.array(judged.targets)
        made = {"model": point, **row_baselines(parts[0], judged)}
        self.state_.scores = mean_errors(made, targets, judged.weights)
        return self

    def walk(self, series: SeriesSet, ends: Ends) -> tuple[Numbers, Numbers]:
        """Return forecasts from many steps of n series: point (N, H) and quantiles (N, H, Q).

        Args:
            series: n series.
            ends: for each the steps before which a window ends, N in all.
        """
        windows = cut_windows(self.state_, series, ends, self.series_transform, targets=False)
        return self.finish(self.calibrated(self.scaled_quantiles(windows)), series, ends)

    def answer_rows(self, rows: Sequence[Numbers]) -> tuple[Numbers, Numbers]:
        """Return forecasts for n rows (W, F): point (n, H) and quantiles (n, H, Q)."""
        scaled = self.calibrated(self.scaled_quantiles(self._windows_of(rows)))
        back = scale_back(scaled, self.state_.scales, [len(rows)], self.state_.H)
        return self._values(back, np.array([row[-1, 0] for row in rows]))

    def scaled_quantiles(self, windows: Windows) -> Numbers:
        """Return the quantiles (n, H, Q) of windows, in units of the spread, not calibrated."""
        assert isinstance(self.network_, ForecastNetwork)
        head, levels = self.network_.head, check_levels(self.quantiles)
        parts = [np.empty((0, self.state_.H, len(levels)))]
        with torch.no_grad():
            for batch in WindowBatches(windows, _AT_ONCE, device=self._network_device()):
                forecast = self.network_(batch.x, batch.series, batch.known)
                parts.append(head.quantiles(forecast, levels).cpu().numpy())
        return np.concatenate(parts)

    def calibrated(self, scaled: Numbers) -> Numbers:
        """Return quantiles (n, H, Q) calibrated on the part held out of the fit."""
        return shifted(scaled, np.array(self.state_.shifts), self.quantiles)

    def finish(self, scaled: Numbers, series: SeriesSet, ends: Ends) -> tuple[Numbers, Numbers]:
        """Return point (N, H) and quantiles (N, H, Q) in the series' own units."""
        last = [v[e - 1] for v, e in zip(series.values, ends, strict=True)]
        scales = self.state_.scales_of(series, self.series_transform)
        back = scale_back(scaled, scales, [len(e) for e in ends], self.state_.H)
        return self._values(back, np.concatenate(last))

    def _values(self, back: Numbers, last: Numbers) -> tuple[Numbers, Numbers]:
        """Return point and quantiles of transformed quantiles (n, H, Q) after `last` (n,)."""
        levels = check_levels(self.quantiles)
        if self.point == "median":
            point = inverse(last, between(back, levels, [0.5]), self.series_transform)[..., 0]
        else:
            point = inverse(last, between(back, levels, middle_grid()), self.series_transform).mean(
                -1
            )
        return point, inverse(last, back, self.series_transform)

    def _windows_of(self, rows: Sequence[Numbers], known: Any = None) -> Windows:
        """Return rows as windows; with `known` examples, their targets and weights too."""
        targets = None if known is None else np.array(known.targets).reshape(-1, self.state_.H)
        weights = None if known is None else known.weights
        return row_windows(self.state_, rows, self.series_transform, targets, weights)

    def _learn(self, train: Windows, valid: Windows, seed: int | None = None) -> None:
        """Train a new network on windows, then calibrate it on those held out."""
        seed = self._seed() if seed is None else seed
        with seeded(seed, self._target_device()):
            self.network_ = self._build().to(self._target_device())
            device = self._network_device()
            draw = torch.Generator().manual_seed(seed)
            size = self._training_batch(len(train))
            self._train(
                WindowBatches(train, size, draw, device),
                WindowBatches(valid, _AT_ONCE, device=device) if len(valid) else None,
                self._loss,
                {"quantile": "standard deviations"}.get(self.head, "nats a step"),
            )
        shifts = np.zeros((self.state_.H, len(self.quantiles)))
        if self.calibrate and valid.targets is not None and len(valid):
            shifts = conformal_shifts(self.scaled_quantiles(valid), valid.targets, self.quantiles)
        self.state_.shifts = shifts.tolist()

    def _loss(self, network: nn.Module, batch: WindowBatch) -> tuple[Tensor, float]:
        assert isinstance(network, ForecastNetwork)
        assert batch.targets is not None
        forecast = network(batch.x, batch.series, batch.known)
        losses = network.head.loss(forecast, batch.targets.to(forecast.dtype)).mean(-1)
        weights = batch.weights.to(losses.dtype)
        return (losses * weights).sum(), float(weights.sum())

    def _build(self) -> ForecastNetwork:
        state = self.state_
        known = len(state.known_names)
        E = self.series_features if state.kind == "series" else 0
        decoder = None
        if self.decoder == "recurrent":
            decoder = self._recurrent(known + 2)
        return ForecastNetwork(
            state.W,
            state.H,
            self._recurrent(1 + len(state.covariate_mean) + E),
            build_head(self.head, check_levels(self.quantiles)),
            decoder,
            known=known,
            series=len(state.ids) if E else 0,
            series_features=E,
            autoregressive=self.autoregressive,
            # Levels are near the last one; steps between them near none.
            from_last=self.series_transform in ("none", "log"),
            dropout=self.dropout,
        )

    def _fitted_record(self) -> dict[str, Any]:
        return self.state_.model_dump()

    def _take_fitted(self, record: Mapping[str, Any]) -> None:
        self.state_ = ForecastState.model_validate(record)
        self.state_.must_be_whole(len(check_levels(self.quantiles)))
        self._keep_features(self.state_.columns)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_numbers(self, at_least_1="horizon window seasonality", at_least_0="series_features")
        check_transform(self.series_transform)
        if self.decoder not in DECODERS:
            raise ArgumentError(
                f"decoder={self.decoder!r} is not known; there are {', '.join(DECODERS)}."
            )
        if self.decoder == "recurrent" and self.bidirectional:
            raise ArgumentError("decoder='recurrent' goes without bidirectional=True.")
        if self.point not in ("median", "mean"):
            raise ArgumentError(f"point={self.point!r} is not known; there are median, mean.")
        levels = check_levels(self.quantiles)
        build_head(self.head, levels)
        if not levels[0] <= 0.5 <= levels[-1]:
            raise ArgumentError(f"quantiles must lie on both sides of 0.5, got {levels}.")
