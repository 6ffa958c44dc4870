"""Checks of ``notebooks/capstone.ipynb``: each prints which promises a student's code keeps, and which it breaks.

A check gets the answers that the notebook specifies, and only watches what they do.
"""

from srlab.course.capstone.adversary import check_adversary as check_adversary
from srlab.course.capstone.adversary import check_gan_step as check_gan_step
from srlab.course.capstone.data import check_pairs as check_pairs
from srlab.course.capstone.data import check_photos as check_photos
from srlab.course.capstone.data import photo_folder as photo_folder
from srlab.course.capstone.network import check_generator as check_generator
from srlab.course.capstone.network import check_psnr as check_psnr
from srlab.course.capstone.network import check_validation as check_validation
from srlab.course.capstone.training import check_result as check_result
from srlab.course.capstone.training import check_sharpness as check_sharpness
from srlab.course.capstone.training import check_training as check_training
