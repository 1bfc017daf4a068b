"""Whole sequence models over any cell, how likely they hold data, how they are decoded."""

from recurra.networks.attention import AdditiveAttention, Attention, DotAttention
from recurra.networks.beam import Beam, Hypothesis, beam_search
from recurra.networks.captioner import CaptionerNetwork
from recurra.networks.convolution import ConvolutionalEncoder
from recurra.networks.decoder import AttentionDecoder, Encoded
from recurra.networks.decoding import Sampling, collect, sample
from recurra.networks.encoder import Encoder
from recurra.networks.generator import GeneratorNetwork
from recurra.networks.likelihood import carried_loss, row_sums, summed_loss, symbol_losses
from recurra.networks.number_generator import NumberGenerator
from recurra.networks.pooled import PooledNetwork
from recurra.networks.teacher_forcing import TeacherForcing
from recurra.networks.translator import TranslatorNetwork

__all__ = [
    "AdditiveAttention",
    "Attention",
    "AttentionDecoder",
    "Beam",
    "CaptionerNetwork",
    "ConvolutionalEncoder",
    "DotAttention",
    "Encoded",
    "Encoder",
    "GeneratorNetwork",
    "Hypothesis",
    "NumberGenerator",
    "PooledNetwork",
    "Sampling",
    "TeacherForcing",
    "TranslatorNetwork",
    "beam_search",
    "carried_loss",
    "collect",
    "row_sums",
    "sample",
    "summed_loss",
    "symbol_losses",
]
